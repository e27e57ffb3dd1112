import type { RawStream } from '@rystra/bytes'
import { type Logger, RystraError, toRystraError } from '@rystra/model'
import type { Link, Listener } from '@rystra/plugin'
import type { Notice } from '@rystra/protocol'
import { firstStream, authenticateClient, type DatagramFlows, type Session, type SessionEvents } from '@rystra/session'
import { randomBytes } from 'node:crypto'
import { acceptingPeer } from './peer-identity.js'
import { listenOptions, NATIVE, peerMuxers, type PeerOptions, peerSession, unexpectedMessage } from './peer-options.js'

/** Peers whose handshake is under way; one more ends the oldest. Servers of a large cluster restart one by one. */
const MAX_HANDSHAKES = 64

/** Links of one member: the present one, and those that it has lost without a word. One more ends the oldest. */
const MAX_LINKS = 4

/** Milliseconds for the handshake of another server. */
const HANDSHAKE_TIMEOUT_MS = 5000

/** A stream that another server has opened. */
export interface PeerStream {
  readonly stream: RawStream
  /** Name of that server. */
  readonly member: string
  readonly flows: DatagramFlows | undefined
  readonly log: Logger
}

/** What happens at a {@link PeerAcceptor}. */
export interface PeerAcceptorEvents {
  onStream(stream: PeerStream): void
  onNotice(message: Notice): void
  onRefused(error: RystraError, link: Link): void
}

/** Lets other servers of the cluster in, and no other peer. */
export class PeerAcceptor {
  readonly #options: PeerOptions
  readonly #events: PeerAcceptorEvents
  readonly #handshakes = new Set<AbortController>()
  /** By member, the oldest first. */
  readonly #sessions = new Map<string, Session[]>()
  readonly #closing = new AbortController()

  constructor(options: PeerOptions, events: PeerAcceptorEvents) {
    this.#options = options
    this.#events = events
  }

  /** Rejects with `listen.*` or `tls.files`. */
  listen(): Promise<Listener> {
    const { config, generations, ports } = this.#options
    const transport = generations.current.registries.transports.get(config.transport)
    return transport.listen(listenOptions(config), (link) => this.#arrived(link), this.#closing.signal, ports)
  }

  #arrived(link: Link): void {
    const { clock, log } = this.#options
    if (this.#handshakes.size >= MAX_HANDSHAKES) {
      const [oldest] = this.#handshakes
      oldest?.abort(new RystraError('session.limit', { side: 'server', detail: 'too many handshakes' }))
    }
    const handshake = new AbortController()
    this.#handshakes.add(handshake)
    const cancel = clock.after(HANDSHAKE_TIMEOUT_MS, () =>
      handshake.abort(new RystraError('protocol.timeout', { side: 'client' }))
    )
    this.#admit(link, handshake.signal)
      .catch((cause: unknown) => {
        if (link.kind === 'streams') link.destroy()
        const error = toRystraError(cause)
        const { address, port } = link.peer
        log.warn({ peer: `${address}:${port}`, err: error }, 'a peer of the cluster was refused')
        this.#events.onRefused(error, link)
      })
      .finally(() => {
        cancel()
        this.#handshakes.delete(handshake)
      })
  }

  async #admit(link: Link, signal: AbortSignal): Promise<void> {
    const { config, generations, agent, clock } = this.#options
    const stream = link.kind === 'bytes' ? link.duplex : await firstStream(link, signal)
    stream.on('error', () => {})
    const authenticators = acceptingPeer({ cluster: config.cluster, to: config.name })
    const outcome = await authenticateClient(stream, {
      generation: {
        calls: {
          hello: () => Promise.resolve(undefined),
          auth: async ({ proof, challenge, peer }) =>
            (await authenticators.get('').verify?.(proof, challenge, peer)) ?? { deny: 'no proof' }
        },
        registries: { authenticators }
      },
      peer: link.peer,
      transport: config.transport,
      agent,
      muxers: link.kind === 'bytes' ? peerMuxers(generations.current.registries) : [NATIVE],
      signal
    })
    if (outcome.type === 'data') {
      const error = new RystraError('auth.refused', {
        side: 'client',
        detail: 'a data link at the port of the cluster'
      })
      outcome.refuse(error)
      throw error
    }
    const { client, muxer, accepted } = outcome
    const id = randomBytes(12).toString('base64url')
    outcome.welcome({
      session: id,
      identity: accepted.identity.id,
      ...(accepted.confirm === undefined ? {} : { confirm: accepted.confirm }),
      heartbeat: config.lease,
      limits: { proxies: 0, streams: 0 }
    })
    const info = {
      id,
      identity: { id: client.id },
      client,
      peer: link.peer,
      transport: config.transport,
      muxer,
      since: clock.now()
    }
    const log = this.#options.log.child({ peer: client.id })
    const events: SessionEvents = {
      onMessage: (message) => {
        if (message.type === 'Notice') this.#events.onNotice(message)
        else unexpectedMessage(message)
      },
      onStream: (opened) => this.#events.onStream({ stream: opened, member: client.id, flows: session.flows, log }),
      onGoAway: () => {},
      onClose: () => this.#drop(client.id, session)
    }
    const session: Session = peerSession({ link, stream, muxer, info, side: 'server' }, this.#options, events)
    this.#add(client.id, session)
  }

  #add(member: string, session: Session): void {
    const sessions = this.#sessions.get(member) ?? []
    this.#sessions.set(member, sessions)
    sessions.push(session)
    if (sessions.length > MAX_LINKS) sessions.shift()?.destroy(new RystraError('session.replaced', { side: 'client' }))
  }

  #drop(member: string, session: Session): void {
    const left = (this.#sessions.get(member) ?? []).filter((other) => other !== session)
    if (left.length === 0) this.#sessions.delete(member)
    else this.#sessions.set(member, left)
  }

  /** Accepts no more; links that are up go on. */
  drain(): void {
    this.#closing.abort(new RystraError('session.closing', { side: 'server' }))
    for (const handshake of this.#handshakes) handshake.abort(this.#closing.signal.reason)
  }

  close(): void {
    this.drain()
    for (const sessions of this.#sessions.values()) for (const session of sessions) session.close()
  }
}
