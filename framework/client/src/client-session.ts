import type { GenerationRef } from '@rystra/kernel'
import type { ConnectConfig } from '@rystra/config'
import { type ProxySpec, RystraError, type SessionInfo } from '@rystra/model'
import type { DialOptions, Link, SessionHandle, SessionStats } from '@rystra/plugin'
import { dataLinkOpening, errorFrom, type Message } from '@rystra/protocol'
import {
  Channels,
  authenticateToServer,
  type DatagramFlows,
  type DialDataLink,
  type OpenOptions,
  type OutgoingStream,
  Session,
  type SessionOptions,
  type StreamHead,
  StreamTable
} from '@rystra/session'
import type { RegisterOptions, RegistrySession } from './registry-session.js'
import { type ReachSession, takeStream } from './reach.js'
import { Requests } from './requests.js'
import type { ClientState } from './state.js'
import { agent } from './version.js'

/** Milliseconds for dialing and the handshake together. */
const CONNECT_TIMEOUT_MS = 15_000

/** What happens in a {@link ClientSession}. */
export interface ClientSessionEvents {
  /** The server took a proxy back. */
  onUnregistered(session: ClientSession, name: string, error: RystraError | undefined): void
  /** The server has published a proxy again under another address. */
  onMoved(session: ClientSession, name: string, address: string): void
  /** The server wants to close; a new session should be dialed. */
  onGoAway(session: ClientSession, error: RystraError | undefined): void
  /** It is over; also called for one that ended before {@link ClientSession.connect} resolved to it. */
  onClose(session: ClientSession, error: RystraError | undefined): void
}

/** What a visit says of itself. */
export interface VisitHead extends StreamHead {
  readonly kind: string
}

/** What a session is made of when it is authenticated. */
type SessionParts = Pick<SessionOptions, 'info' | 'wrap' | 'control' | 'dial' | 'heartbeat'> & {
  readonly generation: GenerationRef
}

/** One session, as the client sees it. */
export class ClientSession implements SessionHandle, RegistrySession, ReachSession {
  readonly info: SessionInfo
  readonly #session: Session
  readonly #state: ClientState
  readonly #requests: Requests
  /** Resolves when it is over. */
  readonly over: Promise<void>
  #tellOver!: () => void
  readonly streams: StreamTable
  /** Streams that no visitor opened. */
  readonly channels: Channels
  #announced = false

  private constructor(made: SessionParts, state: ClientState, events: ClientSessionEvents) {
    const { info, generation } = made
    const { clock, log } = state
    const release = generation.hold()
    this.info = info
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
        onGoAway: (error) => events.onGoAway(this, error),
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

  /** Dials, authenticates, and opens the control stream. */
  static async connect(
    server: DialOptions,
    instance: string,
    state: ClientState,
    events: ClientSessionEvents,
    stop: AbortSignal
  ): Promise<ClientSession> {
    const { config, clock, kernel, log } = state
    const generation = kernel.current
    const timeout = new AbortController()
    const cancel = clock.after(CONNECT_TIMEOUT_MS, () =>
      timeout.abort(new RystraError('protocol.timeout', { side: 'server' }))
    )
    const signal = AbortSignal.any([stop, timeout.signal])
    let link: Link | undefined
    try {
      link = await dial(server, generation, signal)
      const arrived = link
      const stream = link.kind === 'bytes' ? link.duplex : await link.open(signal)
      stream.on('error', () => {})
      const { ack, ok, secret } = await authenticateToServer(stream, {
        offer: {
          id: config.id,
          instance,
          agent,
          muxers: link.kind === 'bytes' ? offeredMuxers(config.connect, generation) : ['native']
        },
        authenticators: generation.registries.authenticators,
        peer: link.peer,
        signal
      })
      const info: SessionInfo = {
        id: ok.session,
        identity: { id: ok.identity },
        client: { id: config.id, instance, agent },
        peer: link.peer,
        transport: server.transport,
        muxer: ack.muxer,
        since: clock.now()
      }
      const made = new ClientSession(
        {
          info,
          generation,
          wrap: (links) =>
            arrived.kind === 'bytes'
              ? generation.registries.muxers.get(ack.muxer).wrap(arrived, 'client', { log, links })
              : arrived,
          control: link.kind === 'bytes' ? undefined : stream,
          // To the server of this session, whatever the configuration says by now.
          dial: secret === undefined ? undefined : dialerOf(server, generation, secret, ok.session),
          // The server's rhythm; three missed beats are one too many.
          heartbeat: { interval: ok.heartbeat, timeout: 3 * ok.heartbeat }
        },
        state,
        events
      )
      await made.#session.start(signal)
      return made
    } catch (error) {
      if (link?.kind === 'bytes') link.duplex.destroy()
      else link?.destroy()
      throw error
    } finally {
      cancel()
    }
  }

  /** Tells the hooks that it is up. One that never was is not told to be over either. */
  announce(): void {
    this.#announced = true
    this.#state.kernel.current.calls.connect({ session: this.info, side: 'client', channels: this.channels })
  }

  get id(): string {
    return this.info.id
  }

  stats(): SessionStats {
    const { rtt } = this
    const proxies = this.#state.proxies.published().filter(({ info }) => info.session === this.info).length
    return { ...this.streams.stats(), proxies, channels: this.channels.size, ...(rtt === undefined ? {} : { rtt }) }
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

  /** Asks for a proxy. Resolves to its public address; rejects with what the server says. */
  register(spec: ProxySpec, { lastPort, replace }: RegisterOptions): Promise<string> {
    const options = { ...(lastPort === undefined ? {} : { lastPort }), ...(replace === true ? { replace } : {}) }
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
        visitor: [visitor.host, visitor.port],
        to: [visitor.to.host, visitor.to.port],
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
    } else if (message.type === 'Notice') {
      const proxy = this.#state.proxies.find(message.proxy)?.spec
      if (proxy !== undefined) this.#state.events.emit('notice', { proxy, notice: message.notice })
    } else throw new RystraError('protocol.unexpected', { side: 'server', detail: message.type })
  }

  #closed(error: RystraError | undefined, events: ClientSessionEvents): void {
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
  }

  get closed(): boolean {
    return this.#session.closed
  }

  close(error?: RystraError): void {
    this.#session.close(error)
  }

  destroy(error?: RystraError): void {
    this.#session.destroy(error)
  }
}

const dial = (server: DialOptions, { registries }: GenerationRef, signal: AbortSignal): Promise<Link> =>
  registries.transports.get(server.transport).dial(server, signal)

/** The one that is configured; the configuration names none only where none is registered. */
const offeredMuxers = ({ muxer }: ConnectConfig, { registries }: GenerationRef): string[] => {
  return muxer === undefined ? [] : [registries.muxers.get(muxer).name]
}

const dialerOf = (
  server: DialOptions,
  generation: GenerationRef,
  secret: Uint8Array,
  session: string
): DialDataLink => {
  let counter = 0
  return async (signal, opens) => {
    const link = await dial(server, generation, signal)
    if (link.kind !== 'bytes') {
      link.destroy()
      throw new RystraError('internal', { detail: 'a transport that multiplexes has no data links' })
    }
    link.duplex.write(dataLinkOpening(secret, session, counter++, opens))
    return link
  }
}
