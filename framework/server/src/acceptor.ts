import type { GenerationRef } from '@rystra/kernel'
import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Duplex } from 'node:stream'
import { peerText } from '@rystra/address'
import type { ListenEntry } from '@rystra/config'
import type { Handshakes, PendingHandshake } from '@rystra/limits'
import { background, RystraError, type SessionInfo, toRystraError } from '@rystra/model'
import type { Link, Listener, ListenHost, ListenOptions, TcpListening } from '@rystra/plugin'
import { PUSH } from '@rystra/protocol'
import { type Admitted, authenticateClient, type DataLinkOffered, firstStream } from '@rystra/session'
import { takeEarly } from './early.js'
import { abortError, handshakesOf, turnOf } from './handshakes.js'
import type { LinkCounts } from './link-counts.js'
import { ResumeTickets, ticketFields } from './resume-tickets.js'
import { ServerSession } from './server-session.js'
import type { ServerState } from './state.js'
import { agent } from './version.js'

/** The muxer of links that carry streams by themselves. */
const NATIVE = 'native'

/** Milliseconds a client that is refused has to read why. */
const CLOSE_TIMEOUT_MS = 1000

/** Made once: a closure or an error of each session would stay with it. */
const ignore = (): void => {}
const handshakeOver = new RystraError('session.closing', { side: 'server', detail: 'the handshake is over' })

/** A link that has come. */
interface Arrived {
  readonly link: Link
  readonly transport: string
  readonly generation: GenerationRef
  readonly counts: LinkCounts
}

/** Lets clients in: listens, shakes hands, and hands each link to its session. */
export class Acceptor {
  /** By session id. */
  readonly sessions: Map<string, ServerSession>
  readonly #state: ServerState
  readonly #handshakes: Handshakes
  readonly #tickets = new ResumeTickets()
  /** The session of each client, by identity and client id. */
  readonly #clients = new Map<string, ServerSession>()
  /** Sessions whose clients have said that they move to another one, by identity and process. */
  readonly #moving = new Map<string, ServerSession>()
  readonly #closing = new AbortController()
  readonly #ports: ListenHost

  /** @param ports Those that several transports, and extensions, may share. */
  constructor(state: ServerState, ports: ListenHost, sessions: Map<string, ServerSession>) {
    this.sessions = sessions
    this.#state = state
    this.#ports = ports
    this.#handshakes = handshakesOf(state)
    // Each listener has one.
    setMaxListeners(0, this.#closing.signal)
  }

  /** @param counts Counts what comes in at this listener. */
  async listen(entry: ListenEntry, generation: GenerationRef, counts: LinkCounts): Promise<Listener> {
    const { proxyProtocolFrom, ...options } = entry as ListenOptions & Pick<TcpListening, 'proxyProtocolFrom'>
    const transport = generation.registries.transports.get(options.transport)
    let isTcp = false
    const ports: ListenHost = {
      listenTcp: (listening, signal) => {
        isTcp = true
        return this.#ports.listenTcp({ owner: `transport ${transport.name}`, proxyProtocolFrom, ...listening }, signal)
      }
    }
    const onLink = (link: Link): void => this.#arrived(link, transport.name, counts)
    const listener = await transport.listen(options, onLink, this.#closing.signal, ports)
    if (isTcp || proxyProtocolFrom === undefined) return listener
    await listener.close()
    const detail = `server.listen: proxyProtocolFrom is of transports over TCP, got ${transport.name}`
    throw new RystraError('config.invalid', { side: 'server', detail })
  }

  /** Accepts no further session, and ends the handshakes in flight. */
  close(): void {
    this.#closing.abort()
    this.#handshakes.close()
  }

  #arrived(link: Link, transport: string, counts: LinkCounts): void {
    const { clock } = this.#state
    const closed = counts.arrived(link)
    const aborted = new AbortController()
    const handshake = this.#handshakes.begin((reason) => aborted.abort(abortError(reason)))
    this.#admit(link, transport, counts, handshake, aborted.signal, closed)
      .catch((cause: unknown) => {
        const error = toRystraError(cause)
        counts.refuse(error.code)
        // Its stream is closed, which for a link of bytes is all there is.
        if (link.kind === 'streams') {
          clock.after(CLOSE_TIMEOUT_MS, () => {
            link.destroy()
            closed()
          })
        }
        this.#refused(link, transport, error)
      })
      .finally(() => handshake.settle())
  }

  #refused({ peer }: Link, transport: string, error: RystraError): void {
    const { log, refused } = this.#state
    const address = peerText(peer)
    if (error.code.startsWith('auth.') || error.code === 'session.refused') {
      log.warn({ peer: address, transport, code: error.code, reason: error.detail }, 'a client was refused')
    } else log.debug({ err: error, peer: address, transport }, 'a peer was refused')
    refused({ what: 'session', error, subject: address, peer })
  }

  async #admit(
    link: Link,
    transport: string,
    counts: LinkCounts,
    handshake: PendingHandshake,
    signal: AbortSignal,
    closed: () => void
  ): Promise<void> {
    const generation = this.#state.kernel.current
    const release = generation.hold()
    try {
      const session = await this.#shake({ link, transport, generation, counts }, handshake, signal)
      if (session !== undefined) background(session.over.then(closed), session.log, 'a link was not counted as closed')
    } finally {
      release()
    }
  }

  /** The session, or nothing for a further link of one. */
  async #shake(
    { link, transport, generation, counts }: Arrived,
    handshake: PendingHandshake,
    signal: AbortSignal
  ): Promise<ServerSession | undefined> {
    const stream = link.kind === 'bytes' ? link.duplex : await firstStream(link, signal)
    // Whatever happens to it, it happens to this link alone.
    stream.on('error', ignore)
    await turnOf(handshake, signal)
    const isEarly = link.kind === 'streams' && link.early === true
    // Few clients send early data, and a session would keep it as long as it lasts.
    let over: AbortController | undefined
    const outcome = await authenticateClient(stream, {
      generation,
      peer: link.peer,
      transport,
      agent,
      server: this.#state.id,
      muxers: link.kind === 'bytes' ? generation.registries.muxers.list() : [NATIVE],
      features: [PUSH],
      onEarly: (hello, send) => {
        const { peer } = link
        const bound = { transport, peer, early: isEarly }
        const { clock } = this.#state
        over ??= new AbortController()
        const host = { tickets: this.#tickets, generation, link: bound, signal: over.signal, now: () => clock.now() }
        const taken = takeEarly(hello, send, host).then((error) => {
          if (error === undefined) return
          counts.refuse(error.code)
          this.#state.log.debug({ err: error, peer: peer.address, transport }, 'early data were refused')
        })
        background(taken, this.#state.log, 'early data were not taken')
      },
      signal
    }).finally(() => queueMicrotask(() => over?.abort(handshakeOver)))
    if (outcome.type === 'data') {
      this.#addLink(link, outcome)
      return undefined
    }
    const error = this.#limitFor(outcome)
    if (error !== undefined) {
      outcome.refuse(error)
      throw error
    }
    try {
      return this.#welcome(link, stream, transport, outcome, generation)
    } catch (error) {
      // An identity that does not fit into a message, or a muxer that throws: without this the link stays open.
      stream.destroy()
      throw error
    }
  }

  /** A client that replaces its predecessor adds no session. */
  #limitFor({ accepted, client }: Admitted): RystraError | undefined {
    const { sessions } = this.#state.config.limits
    if (this.sessions.size < sessions || this.#clients.has(clientKey(accepted.identity.id, client.id))) return undefined
    return new RystraError('session.limit', { side: 'server', detail: `${sessions}` })
  }

  #addLink(link: Link, { hello, take, refuse }: DataLinkOffered): void {
    const session = this.sessions.get(hello.session)
    if (link.kind === 'bytes' && session?.addLink(link, hello, take) === true) return
    const error = new RystraError('auth.refused', { side: 'server', detail: 'a data link of no session here' })
    refuse(error)
    // The session may have ended while its link was on the way: that is no attack.
    throw session === undefined ? new RystraError('session.lost', { side: 'client', detail: error.detail }) : error
  }

  #welcome(
    link: Link,
    stream: Duplex,
    transport: string,
    admitted: Admitted,
    generation: GenerationRef
  ): ServerSession {
    const { config, kernel, events } = this.#state
    const { accepted, client, muxer } = admitted
    const info: SessionInfo = {
      id: randomBytes(12).toString('base64url'),
      identity: accepted.identity,
      client,
      peer: link.peer,
      transport,
      muxer,
      since: this.#state.clock.now()
    }
    const secret = accepted.secret ?? new Uint8Array(randomBytes(32))
    admitted.welcome({
      session: info.id,
      identity: accepted.identity.id,
      ...(accepted.confirm === undefined ? {} : { confirm: accepted.confirm }),
      ...(accepted.secret === undefined ? { secret } : {}),
      heartbeat: config.heartbeat.interval,
      limits: { proxies: config.limits.proxiesPerSession, streams: config.limits.streamsPerSession },
      ...(link.kind === 'streams' && link.early === true
        ? ticketFields(this.#tickets.issue(info, generation.id, info.since))
        : {})
    })
    const { sessions } = this
    const session = new ServerSession(info, secret, generation, this.#state, {
      wrap: (links, log) =>
        link.kind === 'bytes' ? generation.registries.muxers.get(muxer).wrap(link, 'server', { log, links }) : link,
      control: link.kind === 'bytes' ? undefined : stream,
      features: admitted.features,
      proof: { method: admitted.method, credential: accepted.credential },
      ended: () => {
        sessions.delete(info.id)
        this.#forget(clientKey(accepted.identity.id, client.id), session)
      },
      moves: () => this.#moving.set(processKey(info), session)
    })
    this.#replace(clientKey(accepted.identity.id, client.id), session)
    sessions.set(info.id, session)
    this.#state.cluster?.opened(info)
    session.log.info({ peer: peerText(link.peer), transport, muxer }, 'connected')
    kernel.current.calls.connect({ session: info, side: 'server', channels: session.channels })
    events.emit('connected', info)
    this.#state.pushes.connected(session)
    return session
  }

  /** A client that comes back takes the place of its predecessor, whatever became of that. */
  #replace(key: string, session: ServerSession): void {
    const before = this.#clients.get(key)
    this.#clients.set(key, session)
    const moving = this.#moving.get(processKey(session.info))
    this.#moving.delete(processKey(session.info))
    if (moving?.ended === false) moving.leaveTo(session)
    if (before === undefined || before === moving) return
    const error = new RystraError('session.replaced', { side: 'server' })
    before.log.info({ by: session.info.peer.address }, 'replaced by another client of the same id')
    before.replaced(error)
  }

  /** A session is over: nothing is known of its client any more, unless another session has taken its place. */
  #forget(key: string, session: ServerSession): void {
    if (this.#clients.get(key) === session) this.#clients.delete(key)
    if (this.#moving.get(processKey(session.info)) === session) this.#moving.delete(processKey(session.info))
  }
}

const clientKey = (identity: string, client: string): string => JSON.stringify([identity, client])

const processKey = ({ identity, client }: SessionInfo): string => JSON.stringify([identity.id, client.instance])
