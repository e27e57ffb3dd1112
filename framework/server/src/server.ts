import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { EndControl } from '@rystra/control'
import type { RystraConfig } from '@rystra/config'
import type { Kernel } from '@rystra/kernel'
import { RystraError, type SessionInfo, silentLog } from '@rystra/model'
import type { PortGate, SharedPorts } from '@rystra/net'
import type { DrainOptions, ReloadReport, Runtime } from '@rystra/plugin'
import { orElse } from '@rystra/session'
import { Acceptor } from './acceptor.js'
import type { Listening, PublishedProxy, ServerEvents } from './events.js'
import { ServerFeed } from './feed.js'
import type { ClusterPart } from './cluster-part.js'
import { lastPorts } from './last-ports.js'
import { Listeners } from './listeners.js'
import { MemoryClaims } from './memory-claims.js'
import { Pushes } from './pushes.js'
import { filesOf, type ServerOptions, type ServerSide } from './options.js'
import { probeService } from './probe-service.js'
import type { ServerRuntime } from './runtime.js'
import { ServerEnd } from './server-end.js'
import type { ServerState } from './state.js'

/** What {@link Server} is made of. */
export interface ServerParts {
  readonly config: ServerSide
  readonly kernel: Kernel
  readonly ports: SharedPorts
  readonly runtime: ServerRuntime
  readonly options: ServerOptions
  /** Present when the configuration has `server.cluster`. */
  readonly Cluster?: typeof ClusterPart | undefined
  /** In front of the visitors of a server of a cluster. */
  readonly gate?: PortGate | undefined
  /** Whether it was made with `server` in its configuration. */
  readonly hasServer: boolean
}

/** The public end. Make one with {@link createServer}. */
export class Server extends EventEmitter<ServerEvents> {
  readonly kernel: Kernel
  /** What runs here, its events and its control. */
  readonly runtime: Runtime
  /** Resolves when it was stopped, by a call of `stop` or through its control. */
  readonly closed: Promise<void>
  readonly #state: ServerState
  readonly #acceptor: Acceptor
  readonly #listeners: Listeners
  readonly #end: ServerEnd
  readonly #gate: PortGate | undefined
  #starting = false
  #stopping = false
  #stopped: Promise<void> | undefined
  #tellClosed!: () => void

  /** @internal */
  constructor({ config, kernel, ports, runtime, options, hasServer, Cluster, gate }: ServerParts) {
    super()
    this.kernel = kernel
    this.runtime = runtime
    this.#gate = gate
    this.closed = new Promise((resolve) => {
      this.#tellClosed = resolve
    })
    let streams = 0
    const memory = new MemoryClaims(() => this.#state.config.takeoverTimeout)
    this.#state = {
      id: randomBytes(12).toString('base64url'),
      config: config.server,
      kernel,
      clock: kernel.clock,
      log: options.log ?? silentLog,
      events: new ServerFeed(this, runtime, options.log ?? silentLog),
      totals: runtime.totals,
      refused: (refused) => {
        runtime.countRefusal(refused)
        kernel.current.calls.refused({ ...refused, side: 'server' })
        this.#state.events.emit('refused', refused)
      },
      accepted: ports.accepted,
      ports,
      claims: memory,
      cluster: undefined,
      lastPorts: lastPorts(),
      pushes: new Pushes({
        kernel,
        clock: kernel.clock,
        log: options.log ?? silentLog,
        files: filesOf(options),
        member: config.server.cluster?.name ?? options.member
      }),
      failover: new WeakMap(),
      nextStreamId: () => {
        streams += 1
        return streams.toString(36)
      }
    }
    if (Cluster !== undefined && config.server.cluster !== undefined) {
      const parts = { config: config.server.cluster, state: this.#state, memory, ports, sessions: runtime.byId }
      this.#state.cluster = new Cluster(parts)
      this.#state.claims = this.#state.cluster.claims
    }
    this.#acceptor = new Acceptor(this.#state, ports, runtime.byId)
    this.#listeners = new Listeners(this.#acceptor, this.#state.clock, this.#state.log)
    this.#end = new ServerEnd(config, {
      state: this.#state,
      acceptor: this.#acceptor,
      listeners: this.#listeners,
      ports,
      options,
      hasServer,
      stop: () => this.stop()
    })
    const control = new EndControl(this.#end, runtime.events, options)
    const { pushes } = this.#state
    runtime.attach({
      kernel,
      control,
      listeners: () => this.#listeners.list(),
      pushes,
      probe: probeService,
      cluster: () => this.#state.cluster
    })
  }

  /** Where it listens; ports 0 are resolved. */
  get listening(): readonly Listening[] {
    return this.#listeners.list().map(({ listening }) => listening)
  }

  get sessions(): readonly SessionInfo[] {
    return [...this.#acceptor.sessions.values()].map(({ info }) => info)
  }

  get proxies(): readonly PublishedProxy[] {
    return [...this.#acceptor.sessions.values()].flatMap(({ info, proxies }) =>
      [...proxies.values()]
        .filter(({ announced }) => announced)
        .map(({ spec, address }) => ({ spec, address, session: info }))
    )
  }

  /** Accepted connections that are not closed yet, by the address they came in at. */
  get connections(): Readonly<Record<string, number>> {
    return this.#state.accepted.counts
  }

  /** Streams that are open now. */
  get streams(): number {
    return this.#end.streams
  }

  /** Starts the extensions and listens. Rejects with `extension.start-failed` or `listen.*`; nothing is left running then. */
  async start(): Promise<void> {
    if (this.#starting) throw new RystraError('kernel.state', { side: 'server', detail: 'a server is started once' })
    this.#starting = true
    try {
      await this.kernel.start()
      await this.#state.pushes.start()
      const opened = await this.#listeners.open(this.#state.config, this.kernel.current)
      if (this.#stopping) {
        await this.#listeners.close(opened)
        throw new RystraError('session.closing', { side: 'server', detail: 'it was stopped while it started' })
      }
      await this.#state.cluster?.start()
      this.#gate?.open()
      await this.#listeners.use(opened)
    } catch (error) {
      await this.stop({ drain: 0 })
      throw error
    }
    for (const one of this.#listeners.list()) this.#state.events.listenerOpened(one)
  }

  /**
   * Puts another configuration in place of the present one: checked as a whole first. On any error everything stays as
   * it was. What did not change keeps its listeners, sessions and streams. Without a configuration the source of the
   * options is read again.
   */
  reload(config?: RystraConfig): Promise<ReloadReport> {
    return this.runtime.control.reload(config)
  }

  /**
   * Takes no more sessions and visitors, as {@link stop} does, and goes on running. With `alternatives` its clients go to other
   * servers first. Resolves to the number of streams that were left.
   */
  drain(options: DrainOptions = {}): Promise<{ readonly streams: number }> {
    return this.runtime.control.drain(options)
  }

  /**
   * Stops accepting, tells the clients, waits until open streams are done or `drain` milliseconds are over (default
   * `server.drain`), then stops the extensions. Safe to call more than once: the first `drain` that is over ends
   * the wait of all.
   */
  async stop({ drain = this.#state.config.drain }: { drain?: number } = {}): Promise<void> {
    this.#stopping = true
    await this.#end.drain(drain)
    this.#stopped ??= this.#stop()
    await this.#stopped
  }

  async #stop(): Promise<void> {
    await Promise.all(
      [...this.#acceptor.sessions.values()].map((session) => {
        session.close()
        return orElse(session.over, CLOSE_TIMEOUT_MS, () => session.destroy(), this.#state.clock)
      })
    )
    // Visitors that are still there have names of other servers until the extensions have let them go.
    await this.kernel.stop()
    this.#gate?.close()
    await this.#state.cluster?.stop()
    this.#tellClosed()
  }
}

/** Milliseconds a client has to take the end of its session cleanly. */
const CLOSE_TIMEOUT_MS = 500
