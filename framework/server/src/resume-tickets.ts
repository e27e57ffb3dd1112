import { RystraError, type SessionInfo } from '@rystra/model'
import {
  type EarlyFields,
  type Fields,
  type Hello,
  joinTicket,
  type ResumeTicket,
  TICKET_SIZE,
  verifyEarly
} from '@rystra/protocol'
import { randomBytes } from 'node:crypto'

/** Enough for a network change or a laptop that slept for a moment, short enough for rights that are taken away elsewhere. */
const TICKET_LIFETIME_MS = 10 * 60 * 1000

/** Tickets that are kept; one more drops the oldest. About 2 MiB. */
const MAX_TICKETS = 4096

/** What a link is, for a ticket. */
export type Bound = Pick<SessionInfo, 'transport' | 'peer'>

/** What a ticket stands for. */
interface Holder {
  readonly secret: Uint8Array
  readonly session: SessionInfo
  readonly link: string
  /** Extensions, and with them rights and tokens, have changed since when it differs. */
  readonly generation: number
  readonly expires: number
}

/** Transport, ALPN and SNI of a link. QUIC libraries here export no keying material of TLS. */
const linkOf = ({ transport, peer: { tls } }: Bound): string =>
  JSON.stringify([transport, tls?.version, tls?.alpn, tls?.serverName])

const clientOf = ({ identity, client }: SessionInfo): string => JSON.stringify([identity.id, client.id])

const refused = (detail: string): RystraError => new RystraError('session.not-resumed', { side: 'server', detail })

/**
 * Tickets of sessions, by which a client that comes back may send data before it is authenticated again. Each is used
 * once: what is presented a second time is not there any more, as RFC 8446 section 8.1 has it. In memory alone.
 */
export class ResumeTickets {
  /** By id, the oldest first. */
  readonly #holders = new Map<string, Holder>()
  /** The id of the ticket of each client. */
  readonly #byClient = new Map<string, string>()

  get size(): number {
    return this.#holders.size
  }

  /** A ticket for a session that is up. It replaces the one before of the same client. */
  issue(session: SessionInfo, generation: number, now: number): ResumeTicket {
    const client = clientOf(session)
    this.#drop(this.#byClient.get(client))
    for (const [id, { expires }] of this.#holders) {
      if (expires > now && this.#holders.size < MAX_TICKETS) break
      this.#drop(id)
    }
    const id = new Uint8Array(randomBytes(TICKET_SIZE))
    const secret = new Uint8Array(randomBytes(32))
    const key = keyOf(id)
    this.#holders.set(key, { secret, session, link: linkOf(session), generation, expires: now + TICKET_LIFETIME_MS })
    this.#byClient.set(client, key)
    return { id, secret }
  }

  /** Uses up the ticket of a Hello. Answers with the session that it was for. Throws `session.not-resumed`. */
  take(hello: Hello, early: EarlyFields, link: Bound, generation: number, now: number): SessionInfo {
    const key = keyOf(early.resume.subarray(0, TICKET_SIZE))
    const holder = this.#holders.get(key)
    if (holder === undefined) throw refused('no such ticket, or one that was used')
    this.#drop(key)
    if (holder.expires <= now) throw refused('the ticket has expired')
    if (holder.generation !== generation) throw refused('the extensions have changed since')
    if (holder.session.client.id !== hello.id) throw refused('the ticket of another client')
    if (holder.link !== linkOf(link)) throw refused('the ticket is for another kind of link')
    if (!verifyEarly(holder.secret, hello, early)) throw refused('the proof is not valid')
    return holder.session
  }

  #drop(key: string | undefined): void {
    const holder = key === undefined ? undefined : this.#holders.get(key)
    if (key === undefined || holder === undefined) return
    this.#holders.delete(key)
    const client = clientOf(holder.session)
    if (this.#byClient.get(client) === key) this.#byClient.delete(client)
  }
}

/** What AuthOk says of a ticket. */
export const ticketFields = (ticket: ResumeTicket): Pick<Fields<'AuthOk'>, 'ticket' | 'ticketLifetime'> => ({
  ticket: joinTicket(ticket),
  ticketLifetime: TICKET_LIFETIME_MS
})

const keyOf = (id: Uint8Array): string => Buffer.from(id).toString('latin1')
