import type { RawStream } from '@rystra/bytes'
import type { GenerationRef } from '@rystra/kernel'
import { background, type Address, type Logger, RystraError, type SessionInfo, toRystraError } from '@rystra/model'
import type { ByteLink, Details, SessionHandle, SessionStats, StreamLink, UnregisterProxyContext } from '@rystra/plugin'
import { type DataHello, type Message, ReplayWindow, verifyDataLink } from '@rystra/protocol'
import {
  Channels,
  type DatagramFlows,
  drained,
  type OpenOptions,
  linkStats,
  type OutgoingStream,
  Session,
  type StreamHead,
  type StreamLifecycle,
  StreamTable
} from '@rystra/session'
import { Notices } from './notices.js'
import type { ServerProxy } from './proxy.js'
import type { PushSession } from './push-session.js'
import { Registrations, type RegisteringSession } from './registrations.js'
import type { ServerLink } from './server-link.js'
import { reviewSession, type SessionProof } from './session-review.js'
import { SessionStreams } from './session-streams.js'
import type { ServerState } from './state.js'
import { Visits } from './visits.js'

/** Milliseconds a client that is replaced has to read why. */
const CLOSE_TIMEOUT_MS = 1000

/** One session, as the server sees it: its proxies, and what its client asks for. */
export class ServerSession implements RegisteringSession, PushSession, SessionHandle {
  readonly info: SessionInfo
  readonly log: Logger
  readonly #state: ServerState
  readonly #session: Session
  readonly #secret: Uint8Array
  readonly #replays = new ReplayWindow()
  readonly #release: () => void
  readonly #ended: () => void
  /** What a session of the same client had that it takes the place of. */
  predecessor: Registrations | undefined
  readonly #cancelStart: () => void
  readonly features: readonly string[]
  readonly proof: SessionProof
  readonly streams: StreamTable
  /** Streams that no visitor opened. */
  readonly channels: Channels
  readonly #opens: SessionStreams
  /** Resolves when messages can be sent; not for one that ends before. */
  readonly started: Promise<void>
  /** Resolves when it is over. */
  readonly over: Promise<void>
  #tellOver!: () => void
  readonly #registrations: Registrations
  readonly #notices: Notices
  #over = false

  constructor(
    info: SessionInfo,
    secret: Uint8Array,
    generation: GenerationRef,
    state: ServerState,
    { wrap, control, features, proof, ended, moves }: ServerLink
  ) {
    this.info = info
    // Exactly as long: one that was filtered keeps room for sixteen.
    this.features = [...features]
    this.proof = proof
    this.streams = new StreamTable(state.totals)
    this.#secret = secret
    this.#ended = ended
    this.#state = state
    this.#release = generation.hold()
    this.#notices = new Notices(state.clock, (frames) => this.#session.sendFrames(frames))
    const visits = new Visits(this, state)
    this.log = state.log.child({ session: info.id, client: info.client.id, identity: info.identity.id })
    this.#registrations = new Registrations(this, state)
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
        // With `alternatives` it keeps its proxies until another session of its client has them.
        onGoAway: (_error, { alternatives }) =>
          alternatives !== undefined && state.cluster === undefined
            ? moves()
            : this.#inBackground(this.#registrations.unregisterAll('asked')),
        onClose: (error) => this.#closed(error)
      }
    )
    this.started = new Promise((resolve) => {
      if (this.#session.started) resolve()
      else this.#session.onStart = resolve
    })
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
    this.#opens = new SessionStreams(this.#session, state, this.channels)
    this.reviewVisits(generation.registries)
    // A client that authenticates and then sends nothing.
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
    return { ...this.streams.stats(), ...counts, ...(rtt === undefined ? {} : { rtt }), ...linkStats(this.#session) }
  }

  /** Flows of datagrams that its client numbered. */
  get flows(): DatagramFlows | undefined {
    return this.#session.flows
  }

  open(head: StreamHead, options?: OpenOptions): Promise<OutgoingStream> {
    return this.#opens.open(head, options)
  }

  openJoined(stream: StreamLifecycle, head: StreamHead, visitor: RawStream): boolean {
    return this.#opens.openJoined(stream, head, visitor)
  }

  tell(proxy: string, notice: Details): void {
    if (!this.#over) this.#notices.tell(proxy, notice)
  }

  probe(ms: number): Promise<boolean> {
    return this.#session.probe(ms)
  }

  /**
   * Another session of its client takes its names over, one after the other. It ends when that is done and its streams are,
   * or after `server.drain`.
   */
  leaveTo(next: ServerSession): void {
    next.predecessor = this.#registrations
    const left = (): number => (this.#over ? 0 : this.proxies.size + this.channels.left(this.link.streams))
    this.#inBackground(drained(left, this.#state.config.drain, this.#state.clock).finally(() => this.close()))
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
      if (proxy === undefined || proxy.healthy === message.up) return
      proxy.healthy = message.up
      if (proxy.announced) this.#state.cluster?.list(proxy).catch((err) => proxy.log.warn({ err }, 'health not shared'))
      return
    }
    if (message.type === 'PushProxyAck') {
      this.#state.pushes.answered(this, message)
      return
    }
    if (message.type !== 'RegisterProxy' && message.type !== 'UnregisterProxy') {
      throw new RystraError('protocol.unexpected', { side: 'client', detail: message.type })
    }
    this.#registrations.take(message, bytes)
  }

  /** See {@link Registrations.renew}. */
  renew(asks: boolean): Promise<void> {
    return this.#registrations.renew(asks)
  }

  takeBack(name: string, reason: UnregisterProxyContext['reason'], error: RystraError): void {
    this.#registrations.takeBack(name, reason, error)
  }

  get proxies(): ReadonlyMap<string, ServerProxy> {
    return this.#registrations.proxies
  }

  /** See {@link Registrations.listed}. */
  readonly listed = (name: string): ServerProxy[] => this.#registrations.listed(name)

  get ended(): boolean {
    return this.#over
  }

  send(message: Message): void {
    this.#session.send(message)
  }

  /** Has the client go to another server; its proxies stay published meanwhile. */
  offer(drain: number, error: RystraError, alternatives: readonly Address[]): void {
    this.#session.goAway(drain, error, alternatives)
  }

  /**
   * After a reload: takes the rights that its identity has now. One that would no longer be accepted takes no more
   * visitors, and ends when its streams are done, or after `server.drain`.
   */
  review({ authenticators }: GenerationRef['registries']): void {
    this.#session.setHeartbeat(this.#state.config.heartbeat)
    if (this.#session.goingAway) return
    try {
      const identity = reviewSession(this, authenticators)
      if (identity !== undefined) Object.assign(this.info, { identity })
    } catch (cause) {
      const error = toRystraError(cause)
      const { drain } = this.#state.config
      this.log.warn({ err: error, drain }, 'its client is no longer accepted')
      this.#inBackground(this.retire(drain, 'reload', error))
      const left = (): number => (this.#over ? 0 : this.channels.left(this.link.streams))
      this.#inBackground(drained(left, drain, this.#state.clock).finally(() => this.close(error)))
    }
  }

  /** No more visitors for this session; it closes when its streams are done or `drain` milliseconds are over. */
  async retire(drain: number, reason: UnregisterProxyContext['reason'], error: RystraError): Promise<void> {
    this.#session.goAway(drain, error)
    if (drain > 0) this.channels.goAway()
    await this.#registrations.unregisterAll(reason)
  }

  close(error?: RystraError): void {
    if (error !== undefined && !this.#session.goingAway) this.#session.goAway(0, error)
    this.#notices.flush()
    this.channels.closing()
    this.#session.close(error)
  }

  /** Another session of its client takes its place. */
  replaced(error: RystraError): void {
    this.#inBackground(this.retire(0, 'taken-over', error).finally(() => this.close(error)))
    this.#state.clock.after(CLOSE_TIMEOUT_MS, () => this.destroy(error))
  }

  evict(error: RystraError): Promise<void> {
    this.#session.destroy(error)
    return this.over
  }

  destroy(error?: RystraError): void {
    this.#session.destroy(error)
  }

  #inBackground(work: Promise<unknown>): void {
    background(work, this.log, 'proxies of the session were not taken back cleanly')
  }

  #closed(error?: RystraError): void {
    this.#over = true
    this.#notices.stop()
    this.#cancelStart()
    const { kernel, events } = this.#state
    this.#ended()
    this.#state.pushes.closed(this)
    this.#state.cluster?.closed(this.info)
    this.#inBackground(this.#registrations.unregisterAll('session'))
    this.log.info(error === undefined ? {} : { err: error }, 'disconnected')
    kernel.current.calls.disconnect({ session: this.info, side: 'server', ...(error === undefined ? {} : { error }) })
    events.emit('disconnected', this.info, error)
    this.#release()
    this.#tellOver()
  }
}
