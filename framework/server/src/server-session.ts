import type { GenerationRef } from '@rystra/kernel'
import { TokenBucket } from '@rystra/limits'
import { type Logger, type ProxySpec, RystraError, type SessionInfo, toRystraError } from '@rystra/model'
import type { ByteLink, Details, SessionHandle, SessionStats, StreamLink, UnregisterProxyContext } from '@rystra/plugin'
import { type DataHello, errorField, type Message, ReplayWindow, verifyDataLink } from '@rystra/protocol'
import {
  Channels,
  type DatagramFlows,
  type OpenOptions,
  openStreamMessage,
  type OutgoingStream,
  Session,
  type StreamHead,
  StreamTable
} from '@rystra/session'
import { checkSent } from '@rystra/config'
import { lastPortKey } from './last-ports.js'
import type { ProxyOwner } from './owner.js'
import { Notices } from './notices.js'
import { ServerProxy } from './proxy.js'
import { RequestQueue } from './request-queue.js'
import type { ServerLink } from './server-link.js'
import type { ServerState } from './state.js'
import { publicError } from './public-error.js'
import { Visits } from './visits.js'

/** Refused registrations of one session; more end it, since a client backs off. */
const REFUSALS_PER_SECOND = 100
const MAX_REFUSALS_AT_ONCE = 2048

/** One session, as the server sees it: its proxies, and what its client asks for. */
export class ServerSession implements ProxyOwner, SessionHandle {
  readonly info: SessionInfo
  readonly log: Logger
  readonly proxies = new Map<string, ServerProxy>()
  readonly #state: ServerState
  readonly #session: Session
  readonly #secret: Uint8Array
  readonly #replays = new ReplayWindow()
  readonly #release: () => void
  readonly #ended: () => void
  readonly #cancelStart: () => void
  readonly streams: StreamTable
  /** Streams that no visitor opened. */
  readonly channels: Channels
  /** Streams that are asked for and not open yet. */
  #opening = 0
  /** Resolves when it is over. */
  readonly over: Promise<void>
  #tellOver!: () => void
  readonly #queue = new RequestQueue((err) => this.log.error({ err }, 'a request of the client failed'))
  readonly #refusals: TokenBucket
  readonly #notices: Notices
  #over = false

  constructor(
    info: SessionInfo,
    secret: Uint8Array,
    generation: GenerationRef,
    state: ServerState,
    { wrap, control, ended }: ServerLink
  ) {
    this.info = info
    this.streams = new StreamTable(state.totals)
    this.#secret = secret
    this.#ended = ended
    this.#state = state
    this.#release = generation.hold()
    this.#refusals = new TokenBucket(REFUSALS_PER_SECOND, MAX_REFUSALS_AT_ONCE, state.clock.now())
    this.#notices = new Notices(state.clock, (frames) => this.#session.sendFrames(frames))
    const visits = new Visits(this, state)
    this.log = state.log.child({ session: info.id, client: info.client.id, identity: info.identity.id })
    this.over = new Promise((resolve) => {
      this.#tellOver = resolve
    })
    this.#session = new Session(
      {
        side: 'server',
        info,
        wrap: (links) => wrap(links, this.log),
        control,
        heartbeat: state.config.heartbeat,
        clock: state.clock,
        log: this.log
      },
      {
        onMessage: (message, bytes) => this.#message(message, bytes),
        onStream: (stream) => visits.take(stream),
        onGoAway: () => {
          for (const name of this.proxies.keys()) void this.unregister(name, 'asked')
        },
        onClose: (error) => this.#closed(error)
      }
    )
    this.channels = new Channels({
      info,
      side: 'server',
      generations: state.kernel,
      clock: state.clock,
      log: this.log,
      flows: this.#session.flows,
      limit: state.config.limits.channelsPerSession,
      open: (head, options) => this.#session.open(head, options)
    })
    this.reviewVisits(generation.registries)
    // A client that authenticates and then says nothing.
    this.#cancelStart = state.clock.after(state.config.handshakeTimeout, () => {
      if (!this.#session.started) this.destroy(new RystraError('protocol.timeout', { side: 'client' }))
    })
  }

  /** Its client may open streams where a kind can be visited or channels have a handler, and nowhere else. */
  reviewVisits({ proxies, channels }: GenerationRef['registries']): void {
    const visits = proxies.list().some((kind) => proxies.get(kind).visit !== undefined)
    this.#session.acceptStreams(visits || channels.list().length > 0)
  }

  get link(): StreamLink {
    return this.#session.link
  }

  get id(): string {
    return this.info.id
  }

  stats(): SessionStats {
    const { rtt } = this.#session
    const counts = { proxies: this.proxies.size, channels: this.channels.size }
    return { ...this.streams.stats(), ...counts, ...(rtt === undefined ? {} : { rtt }) }
  }

  /** Flows of datagrams that its client numbered. */
  get flows(): DatagramFlows | undefined {
    return this.#session.flows
  }

  async open(head: StreamHead, options?: OpenOptions): Promise<OutgoingStream> {
    if (this.link.streams - this.channels.size + this.#opening >= this.#state.config.limits.streamsPerSession) {
      throw new RystraError('stream.limit', { side: 'server', detail: `client ${this.info.client.id}` })
    }
    this.#opening += 1
    try {
      return await this.#session.open((flow) => openStreamMessage(head, flow), options)
    } finally {
      this.#opening -= 1
    }
  }

  tell(proxy: string, notice: Details): void {
    if (!this.#over) this.#notices.tell(proxy, notice)
  }

  probe(ms: number): Promise<boolean> {
    return this.#session.probe(ms)
  }

  /** Adds a link that claims to be of this session. Answers with whether it is. */
  addLink(link: ByteLink, hello: DataHello, take: () => void): boolean {
    if (this.#over || !verifyDataLink(this.#secret, hello) || !this.#replays.accept(hello.counter)) return false
    take()
    this.#session.links.arrived(link, hello.opens === true)
    return true
  }

  #message(message: Message, bytes: number): void {
    if (message.type === 'Notice') return
    if (message.type === 'ProxyHealth') {
      const proxy = this.proxies.get(message.name)
      if (proxy !== undefined) proxy.healthy = message.up
      return
    }
    if (message.type !== 'RegisterProxy' && message.type !== 'UnregisterProxy') {
      throw new RystraError('protocol.unexpected', { side: 'client', detail: message.type })
    }
    this.#queue.push(bytes, async () => {
      if (this.#over) return
      if (message.type === 'RegisterProxy')
        await this.#register(message.request, message.spec as ProxySpec, message.lastPort)
      else await this.unregister(message.name, 'asked')
    })
  }

  async #register(request: number, sent: ProxySpec, lastPort: number | undefined): Promise<void> {
    try {
      // What this server remembers itself is newer.
      const { lastPorts } = this.#state
      const key = lastPortKey(this.info, sent.name)
      if (lastPort !== undefined && lastPorts.get(key) === undefined) lastPorts.set(key, lastPort)
      const proxy = await this.#publish(sent)
      this.#session.send({ type: 'RegisterProxyAck', request, address: proxy.address })
    } catch (cause) {
      const error = toRystraError(cause, 'internal')
      if (!this.#refusals.take(1, this.#state.clock.now())) {
        const detail = `more than ${MAX_REFUSALS_AT_ONCE} refused registrations`
        this.destroy(new RystraError('proxy.limit', { side: 'client', detail }))
        return
      }
      this.log.warn({ err: error, proxy: sent.name }, 'a proxy was refused')
      this.#state.refused({ what: 'proxy', error, subject: String(sent.name), session: this.info, proxy: sent })
      this.#session.send({ type: 'RegisterProxyAck', request, error: errorField(publicError(error, sent)) })
    }
  }

  async #publish(sent: ProxySpec): Promise<ServerProxy> {
    const { kernel, config, clock, events } = this.#state
    if (this.proxies.size >= config.limits.proxiesPerSession) {
      throw new RystraError('proxy.limit', { side: 'server', detail: `at most ${config.limits.proxiesPerSession}` })
    }
    const { calls, registries } = kernel.current
    const wanted = await calls.registerProxy(sent, this.info)
    if (this.#over) throw new RystraError('session.lost')
    if (!registries.proxies.has(wanted.kind)) {
      throw new RystraError('proxy.unknown-kind', {
        side: 'server',
        detail: `${wanted.kind}; registered: ${registries.proxies.list().join(', ')}`
      })
    }
    const kind = registries.proxies.get(wanted.kind)
    const spec = checkSent(kind, wanted)
    if (this.proxies.has(spec.name)) {
      throw new RystraError('proxy.name-taken', { side: 'server', detail: spec.name })
    }
    const proxy = new ServerProxy(spec, kind, this, this.#state)
    this.proxies.set(spec.name, proxy)
    try {
      await proxy.publish()
      if (this.#over) throw new RystraError('session.lost')
    } catch (error) {
      this.proxies.delete(spec.name)
      await proxy.withdraw()
      throw error
    }
    if (typeof spec.expiresIn === 'number') {
      proxy.cancelExpiry = clock.after(spec.expiresIn, () => {
        this.takeBack(spec.name, 'expired', new RystraError('proxy.expired', { side: 'server' }))
      })
    }
    proxy.announced = true
    this.log.info({ proxy: spec.name, kind: spec.kind, address: proxy.address }, 'published')
    kernel.current.calls.published({ session: this.info, proxy: spec, address: proxy.address })
    events.emit('published', { spec, session: this.info, address: proxy.address })
    return proxy
  }

  takeBack(name: string, reason: UnregisterProxyContext['reason'], error: RystraError): void {
    if (!this.proxies.has(name)) return
    this.#session.send({ type: 'UnregisterProxy', name, error: errorField(error) })
    void this.unregister(name, reason, error)
  }

  /** Takes a proxy back; streams that are open go on. */
  async unregister(name: string, reason: UnregisterProxyContext['reason'], error?: RystraError): Promise<void> {
    const proxy = this.proxies.get(name)
    if (proxy === undefined) return
    this.proxies.delete(name)
    await proxy.withdraw(error)
    // One that is still being published is refused by that.
    if (!proxy.announced) return
    this.log.info({ proxy: name, reason }, 'no longer published')
    this.#state.kernel.current.calls.unregisterProxy({ session: this.info, proxy: proxy.spec, reason })
    this.#state.events.emit('unpublished', { spec: proxy.spec, session: this.info, address: proxy.address }, reason)
  }

  /** No more visitors for this session; it closes when its streams are done or `drain` milliseconds are over. */
  async retire(drain: number, reason: UnregisterProxyContext['reason'], error: RystraError): Promise<void> {
    this.#session.goAway(drain, error)
    await Promise.all([...this.proxies.keys()].map((name) => this.unregister(name, reason)))
  }

  close(error?: RystraError): void {
    if (error !== undefined && !this.#session.goingAway) this.#session.goAway(0, error)
    this.#notices.flush()
    this.#session.close(error)
  }

  evict(error: RystraError): Promise<void> {
    this.#session.destroy(error)
    return this.over
  }

  destroy(error?: RystraError): void {
    this.#session.destroy(error)
  }

  #closed(error?: RystraError): void {
    this.#over = true
    this.#notices.stop()
    this.#cancelStart()
    const { kernel, events } = this.#state
    this.#ended()
    for (const name of this.proxies.keys()) void this.unregister(name, 'session')
    this.log.info(error === undefined ? {} : { err: error }, 'disconnected')
    kernel.current.calls.disconnect({ session: this.info, side: 'server', ...(error === undefined ? {} : { error }) })
    events.emit('disconnected', this.info, error)
    this.#release()
    this.#tellOver()
  }
}
