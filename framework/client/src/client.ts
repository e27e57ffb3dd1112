import { EventEmitter } from 'node:events'
import { randomBytes } from 'node:crypto'
import { type ResolvedClient, resolveProxy, resolveForward, type RystraConfig, type ForwardEntry } from '@rystra/config'
import type { Kernel } from '@rystra/kernel'
import { type ProxySpec, RystraError, type SessionInfo, silentLog, toRystraError } from '@rystra/model'
import type { ReloadContext } from '@rystra/plugin'
import { drained, orElse } from '@rystra/session'
import { ClientSession, type ClientSessionEvents } from './client-session.js'
import type { ClientEvents, PublishedHere, ForwardHere } from './events.js'
import { type Expanded, expand } from './expand.js'
import { entryOf, type ExposeSpec } from './handlers.js'
import { baseOf, type ClientOptions, clientHalf, sameServer, usesOf } from './options.js'
import { Publications } from './publications.js'
import { Reconnect } from './reconnect.js'
import type { ClientRuntime } from './runtime.js'
import { connectToServer } from './servers.js'
import { type ClientState, stateOf } from './state.js'
import { Forwards } from './forwards.js'

/** Milliseconds a server has to take the end of a session in good order. */
const CLOSE_TIMEOUT_MS = 500

/** The end beside the services. Make one with {@link createClient}. */
export class Client extends EventEmitter<ClientEvents> {
  readonly kernel: Kernel
  /** Resolves when the client was stopped; rejects with what ended it for good. */
  readonly closed: Promise<void>
  readonly #options: ClientOptions
  readonly #state: ClientState
  readonly #publications: Publications
  readonly #forwards: Forwards
  readonly #instance = randomBytes(8).toString('hex')
  readonly #stop = new AbortController()
  readonly #reconnect: Reconnect
  #end!: { resolve: () => void; reject: (error: RystraError) => void }
  #session: ClientSession | undefined
  /** Sessions that the server is closing, with the streams that are still open. */
  readonly #leaving = new Set<ClientSession>()
  #starting = false
  /** The last of the reloads, which are done one at a time. */
  #reloads: Promise<unknown> = Promise.resolve()
  /** A client that waits to try again has no socket that would keep the process up. */
  #alive: NodeJS.Timeout | undefined
  #stopping: Promise<void> | undefined

  /** @internal */
  constructor(config: ResolvedClient, kernel: Kernel, runtime: ClientRuntime, options: ClientOptions) {
    super()
    this.kernel = kernel
    this.#options = options
    this.#state = stateOf(config, kernel, options.log ?? silentLog, this, {
      find: (name) => this.#publications.find(name),
      published: () => this.#publications.published()
    })
    this.#reconnect = new Reconnect(this.#state, this.#stop.signal)
    this.#publications = new Publications(this.#state)
    this.#forwards = new Forwards(this.#state)
    runtime.watch(
      () => [...this.#leaving, ...(this.#session === undefined ? [] : [this.#session])],
      () => this.#publications.published()
    )
    this.closed = new Promise((resolve, reject) => {
      this.#end = { resolve, reject }
    })
    // An end without a listener must not end the process.
    this.closed.catch(() => {})
  }

  /** The session that is up, if one is. */
  get session(): SessionInfo | undefined {
    return this.#session?.info
  }

  /** Round trip to the server in milliseconds, as last measured. */
  get rtt(): number | undefined {
    return this.#session?.rtt
  }

  get proxies(): readonly PublishedHere[] {
    return this.#publications.published().flatMap(({ published }) => published ?? [])
  }

  get streams(): number {
    return [...this.#leaving].reduce((sum, { openStreams }) => sum + openStreams, this.#session?.openStreams ?? 0)
  }

  /**
   * Starts the extensions and connects. Resolves when a session is up and every proxy was published or refused. Tries
   * again for as long as the configuration says, and rejects with the first error that cannot pass by itself.
   */
  async start(): Promise<void> {
    if (this.#starting || this.#stopping !== undefined) {
      throw new RystraError('kernel.state', { side: 'client', detail: 'a client is started once' })
    }
    this.#starting = true
    try {
      this.#alive = setInterval(() => {}, 2 ** 30)
      await this.kernel.start()
      for (const entry of this.#state.config.proxies) this.#publications.want(entry as ProxySpec)
      await this.#forwards.open(this.#state.config.forwards as readonly ProxySpec[])
      await this.#connect()
      await this.#publications.answered()
    } catch (error) {
      const failure = toRystraError(error)
      await this.stop({ drain: 0 })
      throw failure
    }
  }

  /** Dials until a session is up. Throws what cannot pass by itself. */
  async #connect(): Promise<void> {
    const { log } = this.#state
    for (;;) {
      const { config } = this.#state
      try {
        const { connect } = config
        const { clock, kernel } = this.#state
        const session = await connectToServer(
          { connect, generation: kernel.current, clock, signal: this.#stop.signal },
          (server, signal) => ClientSession.connect(server, this.#instance, this.#state, this.#events, signal)
        )
        if (this.#stop.signal.aborted || !sameServer(config, this.#state.config)) {
          session.destroy()
          throw new RystraError('session.lost', { side: 'client', detail: 'another one is wanted by now' })
        }
        if (session.closed) throw new RystraError('session.lost')
        this.#session = session
        this.#reconnect.connected()
        log.info({ session: session.info.id, muxer: session.info.muxer }, 'connected')
        session.announce()
        this.emit('connected', session.info)
        this.#forwards.use(session)
        this.#publications.offer(session)
        return
      } catch (cause) {
        if (this.#stop.signal.aborted) throw new RystraError('session.closing', { side: 'client' })
        const error = toRystraError(cause, 'session.lost')
        if (this.#reconnect.endsWith(error)) throw error
        await this.#reconnect.wait(error)
      }
    }
  }

  readonly #events: ClientSessionEvents = {
    onUnregistered: (session, name, error) => {
      const registration = this.#publications.find(name)
      // While an answer is on its way this means the one before.
      if (session === this.#session && registration?.requested === false) registration.takenBack(error)
    },
    onGoAway: (session, error) => {
      if (session !== this.#session) return
      this.#leaving.add(session)
      this.#leave(session, error)
      void drained(() => (session.closed ? 0 : session.openStreams), this.#state.config.drain, this.#state.clock).then(
        () => session.close()
      )
    },
    onClose: (session, error) => {
      this.#leaving.delete(session)
      if (session === this.#session) this.#leave(session, error)
    }
  }

  #leave(session: ClientSession, error: RystraError | undefined): void {
    this.#session = undefined
    this.#reconnect.lost(session.streams.stats().opened > 0)
    this.#forwards.use(undefined)
    this.#publications.suspend()
    this.emit('disconnected', session.info, error)
    if (!this.#stop.signal.aborted) this.#again(error ?? new RystraError('session.lost'))
  }

  #again(error: RystraError): void {
    if (this.#reconnect.isFinal(error)) {
      void this.#fail(error)
      return
    }
    this.#reconnect
      .wait(error)
      .then(() => this.#connect())
      .catch((failure: unknown) => this.#fail(toRystraError(failure)))
  }

  async #fail(error: RystraError): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#state.log.error({ err: error }, 'giving up')
    if (this.#reconnect.proven) this.#end.reject(error)
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
   * session stays up unless `client.id` or `client.connect` changed; proxies that did not change are not touched.
   */
  reload(config: RystraConfig): Promise<ReloadContext> {
    const done = this.#reloads.then(() => this.#reload(config))
    this.#reloads = done.catch(() => {})
    return done
  }

  async #reload(config: RystraConfig): Promise<ReloadContext> {
    const base = baseOf(config, this.#options)
    const before = this.#state.config
    let next = before
    let expanded: readonly Expanded[] = []
    const report = await this.kernel.reload(await usesOf(config, this.#options), (generation) => {
      next = clientHalf(base, generation)
      expanded = expand(next.proxies as readonly ProxySpec[], generation.registries)
      this.#publications.check(expanded)
      this.#forwards.check(next.forwards)
      return Promise.resolve()
    })
    this.#state.config = next
    this.#publications.replace(expanded)
    await this.#forwards.replace(next.forwards as readonly ProxySpec[])
    const changed = new RystraError('session.lost', { side: 'client', detail: 'the configuration changed' })
    if (!sameServer(before, next)) this.#session?.close(changed)
    return report
  }

  /**
   * Tells the server that no more streams are wanted, waits until those that are open are done or `drain` milliseconds
   * are over (default `client.drain`), then stops the extensions. Safe to call more than once.
   */
  stop({ drain = this.#state.config.drain }: { drain?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stopAll(drain)
    return this.#stopping
  }

  async #stopAll(drain: number): Promise<void> {
    // First: a session that is lost from now on is not dialed again, and one that is being dialed is given up.
    this.#stop.abort(new RystraError('session.closing', { side: 'client' }))
    this.#publications.stop()
    const closing = this.#forwards.stop()
    this.#session?.goAway(drain)
    await drained(() => this.streams, drain, this.#state.clock)
    const sessions = [...this.#leaving, ...(this.#session === undefined ? [] : [this.#session])]
    await Promise.all(
      sessions.map((one) => {
        one.close()
        return orElse(one.over, CLOSE_TIMEOUT_MS, () => one.destroy(), this.#state.clock)
      })
    )
    await closing
    await this.kernel.stop()
    clearInterval(this.#alive)
    this.#end.resolve()
  }
}
