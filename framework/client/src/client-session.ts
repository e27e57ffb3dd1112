import type { ConnectConfig } from '@rystra/config'
import { type ProxySpec, RystraError, type SessionInfo } from '@rystra/model'
import type { DataLinks, DialOptions, GenerationRef, Link } from '@rystra/plugin'
import { dataLinkOpening, errorFrom, type Message } from '@rystra/protocol'
import { authenticateToServer, Session } from '@rystra/session'
import type { Duplex } from 'node:stream'
import { takeStream } from './reach.js'
import { Registrations } from './registrations.js'
import type { ClientState } from './state.js'
import type { VisitFlow } from './visit-stream.js'
import { agent } from './version.js'

/** Milliseconds for dialing and the handshake together. */
const CONNECT_TIMEOUT = 15_000

/** What happens in a {@link ClientSession}. */
export interface ClientSessionEvents {
  /** The server took a proxy back. */
  onUnregistered(session: ClientSession, name: string, error: RystraError | undefined): void
  /** The server wants to close; a new session should be dialed. */
  onGoAway(session: ClientSession, error: RystraError | undefined): void
  /** It is over; also called for one that ended before {@link ClientSession.connect} resolved to it. */
  onClose(session: ClientSession, error: RystraError | undefined): void
}

/** One session, as the client sees it. */
export class ClientSession {
  readonly info: SessionInfo
  /** What this session serves, by name. */
  readonly specs = new Map<string, ProxySpec>()
  readonly #session: Session
  readonly #state: ClientState
  readonly #registrations: Registrations
  /** Resolves when it is over. */
  readonly over: Promise<void>
  #tellOver!: () => void
  /** The client's are odd numbers. */
  #flows = 1
  #visits = 0
  #announced = false

  private constructor(info: SessionInfo, session: (owner: ClientSession) => Session, state: ClientState) {
    this.info = info
    this.#state = state
    this.over = new Promise((resolve) => {
      this.#tellOver = resolve
    })
    this.#registrations = new Registrations(state.clock, (error) => this.destroy(error))
    this.#session = session(this)
  }

  /** Dials, authenticates, and opens the control stream. */
  static async connect(
    instance: string,
    state: ClientState,
    events: ClientSessionEvents,
    stop: AbortSignal
  ): Promise<ClientSession> {
    const { config, clock, kernel, log } = state
    const generation = kernel.current
    const timeout = new AbortController()
    const cancel = clock.after(CONNECT_TIMEOUT, () =>
      timeout.abort(new RystraError('protocol.timeout', { side: 'server' }))
    )
    const signal = AbortSignal.any([stop, timeout.signal])
    let link: Link | undefined
    try {
      link = await dial(config.connect, generation, signal)
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
        transport: config.connect.transport ?? 'tcp',
        muxer: ack.muxer,
        since: clock.now()
      }
      let counter = 0
      const links: DataLinks = {
        dial: async (dialing, opens = false) => {
          const unable = new RystraError('internal', { detail: 'no data links here' })
          if (secret === undefined) throw unable
          // To the server of this session, whatever the configuration says by now.
          const data = await dial(config.connect, generation, dialing)
          if (data.kind !== 'bytes') {
            data.destroy()
            throw unable
          }
          data.duplex.write(dataLinkOpening(secret, ok.session, counter++, opens))
          return data
        },
        onLink: undefined,
        request: () => {},
        onRequest: undefined
      }
      const wrapped =
        link.kind === 'bytes'
          ? generation.registries.muxers.get(ack.muxer).wrap(link, 'client', { log, links })
          : Object.defineProperty(link, 'control', { value: stream })
      const release = generation.hold()
      const made = new ClientSession(
        info,
        (owner) =>
          new Session(
            {
              side: 'client',
              info,
              link: wrapped,
              links,
              // The server's rhythm; three missed beats are one too many.
              heartbeat: { interval: ok.heartbeat, timeout: 3 * ok.heartbeat },
              clock,
              log
            },
            {
              onMessage: (message) => owner.#message(message, events),
              onStream: (data) => takeStream(data, info, owner.specs, owner.#session.flows, state),
              onGoAway: (error) => events.onGoAway(owner, error),
              onClose: (error) => {
                release()
                owner.#closed(error, events)
              }
            }
          ),
        state
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
    this.#state.kernel.current.calls.connect({ session: this.info, side: 'client' })
  }

  /** Round trip of the last heartbeat, in milliseconds. */
  get rtt(): number | undefined {
    return this.#session.rtt
  }

  /** Streams that are open now. */
  get streams(): number {
    return this.#session.link.streams
  }

  /** Asks for a proxy. Resolves to its public address; rejects with what the server says. */
  register(spec: ProxySpec, sent: Record<string, unknown>, lastPort?: number): Promise<string> {
    this.specs.set(spec.name, spec)
    return this.#registrations.ask(spec.name, (request) => {
      const had = lastPort === undefined ? {} : { lastPort }
      this.#session.send({ type: 'RegisterProxy', request, spec: sent as ProxySpec, ...had })
    })
  }

  /** For a stream that this client opens: the server's have no such letter in front. */
  nextVisitId(): string {
    this.#visits += 1
    return `v.${this.#visits.toString(36)}`
  }

  /** Opens a stream to the server. */
  openStream(): Promise<Duplex> {
    return this.#session.link.open()
  }

  /** A flow of datagrams beside such a stream. Nothing where the session has none. */
  openFlow(): VisitFlow | undefined {
    const { flows } = this.#session
    if (flows === undefined) return undefined
    this.#flows = (this.#flows + 2) % 0x1_0000_0000
    return { id: this.#flows, datagrams: flows.open(this.#flows) }
  }

  /** Tells the server how the service behind a proxy is. */
  tellHealth(name: string, up: boolean): void {
    this.#session.send({ type: 'ProxyHealth', name, up })
  }

  unregister(name: string): void {
    this.specs.delete(name)
    this.#session.send({ type: 'UnregisterProxy', name })
  }

  #message(message: Message, events: ClientSessionEvents): void {
    if (message.type === 'RegisterProxyAck') {
      const { request, address, error } = message
      if (address !== undefined) this.#registrations.answered(request, address)
      else if (error !== undefined) this.#registrations.answered(request, errorFrom(error, 'server'))
    } else if (message.type === 'UnregisterProxy') {
      // It means the one before: what comes of the one that was asked for since, its answer will say.
      if (this.#registrations.has(message.name)) return
      this.specs.delete(message.name)
      events.onUnregistered(
        this,
        message.name,
        message.error === undefined ? undefined : errorFrom(message.error, 'server')
      )
    } else if (message.type === 'Notice') {
      const spec = this.specs.get(message.proxy)
      if (spec !== undefined) this.#state.events.emit('notice', { proxy: spec, notice: message.notice })
    } else throw new RystraError('protocol.unexpected', { side: 'server', detail: message.type })
  }

  #closed(error: RystraError | undefined, events: ClientSessionEvents): void {
    this.#registrations.end(error ?? new RystraError('session.lost'))
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

const dial = (connect: ConnectConfig, { registries }: GenerationRef, signal: AbortSignal): Promise<Link> => {
  const options = connect as DialOptions
  return registries.transports.get(options.transport).dial(options, signal)
}

/** The one that is configured; the configuration names none only where none is registered. */
const offeredMuxers = ({ muxer }: ConnectConfig, { registries }: GenerationRef): string[] => {
  return muxer === undefined ? [] : [registries.muxers.get(muxer).name]
}
