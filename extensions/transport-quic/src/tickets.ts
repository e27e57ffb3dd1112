/** Targets whose tickets are kept, and tickets of one target. A muxer-less client has one link, and a few while it moves. */
const TARGETS = 64
const EACH = 8

/** What an earlier link left for the next one to the same target. */
export interface Ticket {
  readonly session: Uint8Array
  /** DER of the certificate of the server, which a resumed handshake does not show again. */
  readonly leaf: Uint8Array
  /** Where it was. */
  readonly address: string
}

/** Session tickets (RFC 8446 section 4.6.1), in memory only. Each is used once, the newest first (section C.4). */
export class Tickets {
  readonly #kept = new Map<string, Ticket[]>()

  keep(target: string, ticket: Ticket): void {
    const kept = this.#kept.get(target) ?? []
    this.#kept.delete(target)
    this.#kept.set(target, [...kept.slice(1 - EACH), ticket])
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > TARGETS && oldest !== undefined) this.#kept.delete(oldest)
  }

  take(target: string): Ticket | undefined {
    return this.#kept.get(target)?.pop()
  }

  /** After a failure: what was agreed on may be worth nothing any more. */
  forget(target: string): void {
    this.#kept.delete(target)
  }
}
