import { EventEmitter } from 'node:events'
import { resolveProxy, resolveForward, type RystraConfig, type ForwardEntry } from '@rystra/config'
import { EndControl } from '@rystra/control'
import type { Kernel } from '@rystra/kernel'
import { background, type ProxySpec, RystraError, type SessionInfo, silentLog, toRystraError } from '@rystra/model'
import type { SharedPorts } from '@rystra/net'
import type { ReloadReport, Runtime } from '@rystra/plugin'
import { drained, orElse } from '@rystra/session'
import { ClientEnd } from './client-end.js'
import type { ClientEvents, PublishedHere, ForwardHere } from './events.js'
import { ClientFeed } from './feed.js'
import { entryOf, type ExposeSpec } from './handlers.js'
import type { ClientOptions, ClientSide } from './options.js'
import { probeService } from './probe-service.js'
import { Publications } from './publications.js'
import { Pushes } from './pushes.js'
import type { ClientRuntime } from './runtime.js'
import { ServiceSockets } from './service-sockets.js'
import { Sessions } from './sessions.js'
import { type ClientState, stateOf } from './state.js'
import { Forwards } from './forwards.js'

/** Milliseconds a server has to take the end of a session cleanly. */
const CLOSE_TIMEOUT_MS = 500

/** The end beside the services. Make one with {@link createClient}. */
export class Client extends EventEmitter<ClientEvents> {
  readonly kernel: Kernel
  /** What runs here, its events and its control. */
  readonly runtime: Runtime
  /** Resolves when the client was stopped; rejects with what ended it for good. */
  readonly closed: Promise<void>
  readonly #state: ClientState
  readonly #publications: Publications
  readonly #forwards: Forwards
  readonly #stop = new AbortController()
  readonly #sessions: Sessions
  #end!: { resolve: () => void; reject: (error: RystraError) => void }
  #starting = false
  /** A client that waits to try again has no socket that would keep the process up. */
  #alive: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  #stopping = false
  #stopped: Promise<void> | undefined

  /** @internal */
  constructor(config: ClientSide, kernel: Kernel, ports: SharedPorts, runtime: ClientRuntime, options: ClientOptions) {
    super()
    this.kernel = kernel
    this.runtime = runtime
    const { log = silentLog } = options
    const proxies = {
      find: (name: string) => this.#publications.find(name),
      published: () => this.#publications.published()
    }
    const sockets = new ServiceSockets(options.maxServiceSockets)
    const feed = new ClientFeed(this, runtime, log)
    this.#state = stateOf(config.client, kernel, log, feed, runtime.totals, proxies, sockets)
    this.#publications = new Publications(this.#state)
    this.#forwards = new Forwards(this.#state)
    const pushes = new Pushes(this.#state, this.#publications)
    this.#sessions = new Sessions(
      this.#state,
      this.#stop.signal,
      {
        publications: this.#publications,
        pushes,
        forwards: this.#forwards,
        fail: (error) => background(this.#fail(error), log, 'the client was not stopped cleanly')
      },
      options.resolveSrv
    )
    const end = new ClientEnd(config, {
      state: this.#state,
      publications: this.#publications,
      pushes,
      forwards: this.#forwards,
      options,
      ports,
      streams: () => this.streams,
      sessions: this.#sessions,
      drain: (timeout) => this.#drain(timeout),
      publish: (entry) => this.publish(entry),
      stop: () => this.stop()
    })
    runtime.attach({
      kernel,
      control: new EndControl(end, runtime.events, options),
      sessions: () => this.#sessions.all,
      proxies: () => this.#publications.all(),
      proxy: (name) => this.#publications.find(name),
      probe: probeService
    })
    this.closed = new Promise((resolve, reject) => {
      this.#end = { resolve, reject }
    })
    // An end without a listener must not end the process.
    this.closed.catch(() => {})
  }

  /** The session that is up, if one is: the first of several. */
  get session(): SessionInfo | undefined {
    return this.#sessions.present[0]?.info
  }

  /** Those that are up: with `client.redundancy` several, each with another server. */
  get sessions(): readonly SessionInfo[] {
    return this.#sessions.present.map(({ info }) => info)
  }

  /** Round trip to the server of {@link session} in milliseconds, as last measured. */
  get rtt(): number | undefined {
    return this.#sessions.present[0]?.rtt
  }

  get proxies(): readonly PublishedHere[] {
    return this.#publications.published().flatMap(({ published }) => published)
  }

  get streams(): number {
    return this.#sessions.streams
  }

  /**
   * Starts the extensions and connects. Resolves when a session is up and every proxy was published or refused. Tries
   * again for as long as the configuration says, and rejects with the first error that cannot pass by itself.
   */
  async start(): Promise<void> {
    if (this.#starting || this.#stopping) {
      throw new RystraError('kernel.state', { side: 'client', detail: 'a client is started once' })
    }
    this.#starting = true
    try {
      this.#alive = setInterval(() => {}, 2 ** 30)
      await this.kernel.start()
      for (const entry of this.#state.config.proxies) this.#publications.want(entry as ProxySpec)
      await this.#forwards.open(this.#state.config.forwards as readonly ProxySpec[])
      await this.#sessions.connect()
      await this.#publications.answered()
    } catch (error) {
      const failure = toRystraError(error)
      await this.stop({ drain: 0 })
      throw failure
    }
  }

  async #fail(error: RystraError): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#state.log.error({ err: error }, 'giving up')
    if (this.#sessions.proven) this.#end.reject(error)
    await this.stop({ drain: 0 })
  }

  /**
   * Publishes an entry, written as in `client.proxies`; it stays wanted over reconnects and reloads. Resolves to what
   * visitors can reach now: nothing without a session, nor what is refused for now, by `proxy.claimed` or another retryable
   * code, of which `refused` tells, and `published` when it is there. Rejects with `proxy.*` when it is refused for good.
   */
  async publish(entry: ProxySpec): Promise<readonly PublishedHere[]> {
    return this.#publications.add(resolveProxy(entry, this.kernel.current.registries))
  }

  /**
   * Publishes a service within this process: no local port is opened. Otherwise as {@link publish}.
   * @example await client.expose({ kind: 'http', subdomain: 'app', handler: (request) => new Response('Hello') })
   */
  async expose<Kind extends string>(spec: ExposeSpec<Kind>): Promise<readonly PublishedHere[]> {
    const { entry, handler } = entryOf(spec, this.#state)
    return this.#publications.add(entry, handler)
  }

  /**
   * Puts an entry in place of the one of the same name, and touches no other; streams that are open go on. Takes what
   * {@link publish} and {@link expose} take. When it is refused for good it rejects, and what was there is there again.
   */
  async update<Kind extends string>(spec: ProxySpec | ExposeSpec<Kind>): Promise<readonly PublishedHere[]> {
    const { entry, handler } = entryOf(spec, this.#state)
    return this.#publications.update(entry, handler)
  }

  /** Takes one back, if there, or all that its kind made of the entry. Streams that are open go on. */
  unpublish(name: string): void {
    this.#publications.remove(name)
  }

  /** Opens one more forward, written as in `client.forwards`; reloads leave it open. Rejects with `proxy.*` or `listen.*`. */
  async visit(entry: ForwardEntry): Promise<ForwardHere> {
    return this.#forwards.add(resolveForward(entry, this.kernel.current.registries))
  }

  /** Closes a forward, if there; its streams go on. */
  unvisit(name: string): Promise<void> {
    return this.#forwards.remove(name)
  }

  get forwards(): readonly ForwardHere[] {
    return this.#forwards.list()
  }

  /** @deprecated Called {@link forwards}; removed in 0.3. */
  get visitors(): readonly ForwardHere[] {
    return this.forwards
  }

  /**
   * Puts another configuration in place of the present one: checked as a whole first; on any error everything stays. The
   * session stays up unless `client.id` or `client.connect` changed; proxies that did not change are not touched. Without
   * a configuration the source of the options is read again.
   */
  reload(config?: RystraConfig): Promise<ReloadReport> {
    return this.runtime.control.reload(config)
  }

  /**
   * Tells the server that no more streams are wanted, waits until those that are open are done or `drain` milliseconds
   * are over (default `client.drain`), then stops the extensions. Safe to call more than once: the first
   * `drain` that is over ends the wait of all.
   */
  async stop({ drain = this.#state.config.drain }: { drain?: number } = {}): Promise<void> {
    this.#stopping = true
    await this.#drain(drain)
    this.#stopped ??= this.#stopAll()
    await this.#stopped
  }

  /** Closed once; every call waits for as long as it says itself. */
  async #drain(drain: number): Promise<void> {
    this.#closing ??= this.#close(drain)
    await drained(() => this.#sessions.inFlight, drain, this.#state.clock)
    await this.#closing
  }

  /** @param drain Milliseconds that the server is told */
  async #close(drain: number): Promise<void> {
    // First: a session that is lost from now on is not dialed again, and one that is being dialed is given up.
    this.#stop.abort(new RystraError('session.closing', { side: 'client' }))
    this.#publications.stop()
    const closing = this.#forwards.stop()
    for (const session of this.#sessions.present) session.goAway(drain)
    await closing
  }

  async #stopAll(): Promise<void> {
    await Promise.all(
      this.#sessions.all.map((one) => {
        one.close()
        return orElse(one.over, CLOSE_TIMEOUT_MS, () => one.destroy(), this.#state.clock)
      })
    )
    await this.kernel.stop()
    clearInterval(this.#alive)
    this.#end.resolve()
  }
}
