import type { RystraConfig } from '@rystra/config'
import { Kernel } from '@rystra/kernel'
import { Client } from './client.js'
import { ClientRuntime } from './runtime.js'
import { baseOf, type ClientOptions, clientHalf, usesOf } from './options.js'

/**
 * Makes a client: checks the configuration, loads the extensions and sets them up. Nothing is dialed before
 * {@link Client.start}. Rejects with `config.*`, `extension.*` or `registry.*`.
 */
export const createClient = async (config: RystraConfig, options: ClientOptions = {}): Promise<Client> => {
  const base = baseOf(config, options)
  const uses = await usesOf(config, options)
  const runtime = new ClientRuntime()
  const kernel = new Kernel({
    side: 'client',
    runtime,
    ...(options.dir === undefined ? {} : { dir: options.dir }),
    ...(options.stateDir === undefined ? {} : { stateDir: options.stateDir }),
    ...(options.log === undefined ? {} : { log: options.log }),
    ...(options.clock === undefined ? {} : { clock: options.clock })
  })
  await kernel.provision(uses)
  try {
    return new Client(clientHalf(base, kernel.current), kernel, runtime, options)
  } catch (error) {
    await kernel.stop()
    throw error
  }
}
