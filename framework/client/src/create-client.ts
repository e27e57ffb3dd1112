import type { RystraConfig } from '@rystra/config'
import { EventLog } from '@rystra/control'
import { Kernel, systemClock } from '@rystra/kernel'
import { silentLog } from '@rystra/model'
import { SharedPorts } from '@rystra/net'
import { Client } from './client.js'
import { ClientRuntime } from './runtime.js'
import { baseOf, type ClientOptions, checkedWith, usesOf } from './options.js'

/**
 * Makes a client: checks the configuration, loads the extensions and sets them up. Nothing is dialed before
 * {@link Client.start}. Rejects with `config.*`, `extension.*` or `registry.*`.
 */
export const createClient = async (config: RystraConfig, options: ClientOptions = {}): Promise<Client> => {
  const base = baseOf(config, options)
  const uses = await usesOf(config, options)
  const { log = silentLog, clock = systemClock } = options
  const runtime = new ClientRuntime(new EventLog(clock, log), clock.now())
  const ports = new SharedPorts({ log })
  const kernel = new Kernel({
    side: 'client',
    ports,
    runtime,
    log,
    clock,
    listening: options.listening ?? true,
    ...(options.dir === undefined ? {} : { dir: options.dir }),
    ...(options.stateDir === undefined ? {} : { stateDir: options.stateDir })
  })
  await kernel.provision(uses)
  try {
    return new Client(checkedWith(base, kernel.current), kernel, ports, runtime, options)
  } catch (error) {
    await kernel.stop()
    throw error
  }
}
