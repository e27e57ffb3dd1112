import type { RystraConfig } from '@rystra/config'
import { EventLog } from '@rystra/control'
import { Kernel, systemClock } from '@rystra/kernel'
import { silentLog } from '@rystra/model'
import { gatedPorts, offsetPorts, SharedPorts } from '@rystra/net'
import { baseOf, checkedWith, type ServerOptions, usesOf } from './options.js'
import { ServerRuntime } from './runtime.js'
import { Server } from './server.js'

/**
 * Makes a server: checks the configuration, loads the extensions and sets them up. Nothing listens before
 * {@link Server.start}. Rejects with `config.*`, `extension.*` or `registry.*`.
 */
export const createServer = async (config: RystraConfig, options: ServerOptions = {}): Promise<Server> => {
  const base = baseOf(config, options)
  const uses = await usesOf(config, options)
  const { log = silentLog, clock = systemClock } = options
  const { portOffset = 0, reusePort = false } = options
  const ports = new SharedPorts({
    log,
    sockets: options.sockets,
    begin: options.begin,
    published: options.published,
    reusePort
  })
  const runtime = new ServerRuntime(new EventLog(clock, log, base.server?.cluster?.name), clock.now())
  // A server of a cluster would answer that names of the others do not exist until it knows them.
  const gate = base.server?.cluster === undefined ? undefined : gatedPorts(ports)
  const open = gate?.ports ?? ports
  const kernel = new Kernel({
    side: 'server',
    ports: portOffset === 0 ? open : offsetPorts(open, portOffset),
    runtime,
    log,
    clock,
    ...(options.dir === undefined ? {} : { dir: options.dir }),
    ...(options.stateDir === undefined ? {} : { stateDir: options.stateDir })
  })
  await kernel.provision(uses)
  try {
    const checked = checkedWith(base, kernel.current)
    const { ClusterPart: Cluster } = checked.server.cluster === undefined ? {} : await import('./cluster-part.js')
    const hasServer = config.server !== undefined
    return new Server({ config: checked, kernel, ports, runtime, options, hasServer, Cluster, gate })
  } catch (error) {
    await kernel.stop()
    throw error
  }
}
