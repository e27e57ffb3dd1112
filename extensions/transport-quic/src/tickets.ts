import { BoundedMap } from '@rystra/limits'

/** Limits of targets and of tickets per target. A client has one link, and a few while it reconnects. */
const MAX_TARGETS = 64
const MAX_PER_TARGET = 8

/** A session ticket of an earlier link. */
export interface Ticket {
  readonly session: Uint8Array
  /** DER of the server's certificate, which a resumed handshake does not present. */
  readonly leaf: Uint8Array
  /** The address of that link. */
  readonly address: string
}

/** Session tickets (RFC 8446 section 4.6.1), in memory only. Each is used once, the newest first (section C.4). */
export class Tickets {
  readonly #kept = new BoundedMap<string, Ticket[]>(MAX_TARGETS)

  keep(target: string, ticket: Ticket): void {
    const kept = this.#kept.get(target) ?? []
    this.#kept.set(target, [...kept.slice(1 - MAX_PER_TARGET), ticket])
  }

  take(target: string): Ticket | undefined {
    return this.#kept.get(target)?.pop()
  }

  /** Drops tickets after a failure. */
  forget(target: string): void {
    this.#kept.delete(target)
  }
}
