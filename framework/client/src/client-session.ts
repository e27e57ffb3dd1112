import type { GenerationRef } from '@rystra/kernel'
import { type ProxySpec, RystraError, type SessionInfo } from '@rystra/model'
import type { SessionHandle, SessionStats } from '@rystra/plugin'
import { errorFrom, type Fields, type Message, PUSH, type PushProxy } from '@rystra/protocol'
import {
  Channels,
  type DatagramFlows,
  type GoAwayNotice,
  linkStats,
  type OpenOptions,
  type OutgoingStream,
  Session,
  type SessionOptions,
  type StreamHead,
  StreamTable,
  addressFields
} from '@rystra/session'
import type { PublishedHere } from './events.js'
import type { KnownServer } from './known-server.js'
import type { RegisterOptions, RegistrySession } from './registry-session.js'
import { type ReachSession, takeStream } from './reach.js'
import { Requests } from './requests.js'
import type { ClientState } from './state.js'

/** Pushes that may come before the session is in use: the handshake is one or two round trips. */
const MAX_EARLY_PUSHES = 1024

/** What happens in a {@link ClientSession}. */
export interface ClientSessionEvents {
  /** The server took a proxy back. */
  onUnregistered(session: ClientSession, name: string, error: RystraError | undefined): void
  /** The server has published a proxy again under another address. */
  onMoved(session: ClientSession, name: string, address: string): void
  /** The server adds a proxy. */
  onPushed(session: ClientSession, push: PushProxy): void
  /** The server wants to close; a new session should be dialed. */
  onGoAway(session: ClientSession, error: RystraError | undefined, notice: GoAwayNotice): void
  /** It is over; also called for one that ended before `connectSession` resolved to it. */
  onClose(session: ClientSession, error: RystraError | undefined): void
}

/** What a visit says of itself. */
export interface VisitHead extends StreamHead {
  readonly kind: string
}

/** What a session is made of when it is authenticated. */
export type SessionParts = Pick<SessionOptions, 'info' | 'wrap' | 'control' | 'dial' | 'heartbeat'> & {
  readonly server: KnownServer
  readonly generation: GenerationRef
  /** What both ends can. */
  readonly features: readonly string[]
}

/** One session, as the client sees it. */
export class ClientSession implements SessionHandle, RegistrySession, ReachSession {
  readonly info: SessionInfo
  readonly server: KnownServer
  readonly #session: Session
  readonly #state: ClientState
  readonly #requests: Requests
  /** Resolves when it is over. */
  readonly over: Promise<void>
  #tellOver!: () => void
  readonly streams: StreamTable
  /** Streams that no visitor opened. */
  readonly channels: Channels
  /** Whether another session with the same server may take its place. */
  isLeft = false
  /** Why it is left while streams go on: what its end is told with. */
  leftFor: RystraError | undefined
  #goAwayError: RystraError | undefined
  #announced = false
  readonly #features: readonly string[]
  /** Pushes that came before it was in use. */
  #early: PushProxy[] | undefined = []

  constructor(made: SessionParts, state: ClientState, events: ClientSessionEvents) {
    const { info, generation, server, features } = made
    this.#features = features
    const { clock, log } = state
    const release = generation.hold()
    this.info = info
    this.server = server
    this.streams = new StreamTable(state.totals)
    this.#state = state
    this.over = new Promise((resolve) => {
      this.#tellOver = resolve
    })
    this.#requests = new Requests(clock, (error) => this.destroy(error))
    this.#session = new Session(
      { side: 'client', clock, log, ...made },
      {
        onMessage: (message) => this.#message(message, events),
        onStream: (stream) => takeStream(stream, this, state),
        onGoAway: (error, notice) => {
          this.#goAwayError = error
          events.onGoAway(this, error, notice)
        },
        onClose: (error) => {
          release()
          this.#closed(error, events)
        }
      }
    )
    this.channels = new Channels({
      info,
      side: 'client',
      generations: state.kernel,
      clock,
      log,
      flows: this.#session.flows,
      open: (head, options) => this.#session.open(head, options)
    })
  }

  /** Opens the control stream, unless the link has one. */
  start(signal: AbortSignal): Promise<void> {
    return this.#session.start(signal)
  }

  /** It is in use: what the server has added meanwhile, and adds from now on, can be published. */
  takePushes(events: Pick<ClientSessionEvents, 'onPushed'>): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const push of early) events.onPushed(this, push)
  }

  /** Tells the hooks that it is up. One that never was is not told to be over either. */
  announce(): void {
    this.#announced = true
    this.#state.kernel.current.calls.connect({ session: this.info, side: 'client', channels: this.channels })
  }

  /** The host that was dialed. */
  get host(): string {
    return this.server.options.host
  }

  /** Whether either end has said that it wants no more streams. */
  get goingAway(): boolean {
    return this.#session.goingAway
  }

  /** Why it is of no use, if the server has ended it already, or says that it will. */
  get goneFor(): RystraError | undefined {
    if (!this.closed && !this.goingAway) return undefined
    return this.#goAwayError ?? new RystraError(this.goingAway ? 'session.closing' : 'session.lost', { side: 'server' })
  }

  get id(): string {
    return this.info.id
  }

  stats(): SessionStats {
    const { rtt } = this
    const isHere = ({ session }: PublishedHere): boolean => session === this.info
    const proxies = this.#state.proxies.published().filter(({ published }) => published.some(isHere)).length
    return {
      ...this.streams.stats(),
      proxies,
      channels: this.channels.size,
      ...(rtt === undefined ? {} : { rtt }),
      ...linkStats(this.#session)
    }
  }

  /** Round trip of the last heartbeat, in milliseconds. */
  get rtt(): number | undefined {
    return this.#session.rtt
  }

  /** Streams of its link that are open now. */
  get openStreams(): number {
    // A channel is open for as long as its session: a stop must not wait for it.
    return this.#session.link.streams - this.channels.size
  }

  /** What a drain waits for: streams, and what is done on channels. */
  get inFlight(): number {
    return this.channels.left(this.#session.link.streams)
  }

  /** Asks for a proxy. Resolves to its public address; rejects with what the server says. */
  register(spec: ProxySpec, { lastPort, replace, push }: RegisterOptions): Promise<string> {
    const options = {
      ...(lastPort === undefined ? {} : { lastPort }),
      ...(replace === true ? { replace } : {}),
      ...(push === undefined ? {} : { push })
    }
    return this.#requests.ask((request) => this.#session.send({ type: 'RegisterProxy', request, spec, ...options }))
  }

  get flows(): DatagramFlows | undefined {
    return this.#session.flows
  }

  /** Opens a stream to the proxy of another client that accepts visits as `proxy`. */
  open({ proxy, kind, visitor, details }: VisitHead, options?: OpenOptions): Promise<OutgoingStream> {
    return this.#session.open(
      (flow) => ({
        type: 'Visit',
        kind,
        of: proxy,
        ...addressFields(visitor),
        ...(flow === undefined ? {} : { flow }),
        ...(details === undefined ? {} : { details })
      }),
      options
    )
  }

  /** Tells the server how the service behind a proxy is. */
  tellHealth(name: string, up: boolean): void {
    this.#session.send({ type: 'ProxyHealth', name, up })
  }

  answerPush(answer: Fields<'PushProxyAck'>): void {
    this.#session.send({ type: 'PushProxyAck', ...answer })
  }

  unregister(name: string): void {
    this.#session.send({ type: 'UnregisterProxy', name })
  }

  #message(message: Message, events: ClientSessionEvents): void {
    if (message.type === 'RegisterProxyAck') {
      const { request, address, error } = message
      if (address !== undefined) this.#requests.answered(request, address)
      else if (error !== undefined) this.#requests.answered(request, errorFrom(error, 'server'))
    } else if (message.type === 'UnregisterProxy') {
      const { name, error } = message
      events.onUnregistered(this, name, error === undefined ? undefined : errorFrom(error, 'server'))
    } else if (message.type === 'ProxyAddress') {
      events.onMoved(this, message.name, message.address)
    } else if (message.type === 'PushProxy' && this.#features.includes(PUSH)) {
      if (this.#early === undefined) events.onPushed(this, message)
      else holdPush(this.#early, message)
    } else if (message.type === 'Notice') {
      const proxy = this.#state.proxies.find(message.proxy)?.spec
      if (proxy !== undefined) this.#state.events.emit('notice', { proxy, notice: message.notice })
    } else throw new RystraError('protocol.unexpected', { side: 'server', detail: message.type })
  }

  #closed(reason: RystraError | undefined, events: ClientSessionEvents): void {
    const error = this.leftFor ?? reason
    this.#requests.end(error ?? new RystraError('session.lost'))
    if (this.#announced) {
      this.#state.kernel.current.calls.disconnect({
        session: this.info,
        side: 'client',
        ...(error === undefined ? {} : { error })
      })
    }
    events.onClose(this, error)
    this.#tellOver()
  }

  goAway(drain: number): void {
    this.#session.goAway(drain)
    if (drain > 0) this.channels.goAway()
  }

  /** Tells the server that another session of this client follows, which takes the proxies over. */
  leave(drain: number): void {
    this.isLeft = true
    this.#session.goAway(drain, undefined, [])
  }

  get closed(): boolean {
    return this.#session.closed
  }

  close(error?: RystraError): void {
    this.channels.closing()
    this.#session.close(error)
  }

  destroy(error?: RystraError): void {
    this.#session.destroy(error)
  }
}

const holdPush = (early: PushProxy[], message: PushProxy): void => {
  if (early.length >= MAX_EARLY_PUSHES) {
    throw new RystraError('proxy.limit', { side: 'server', detail: `${MAX_EARLY_PUSHES} pushed at once` })
  }
  early.push(message)
}
