import type { X509Certificate } from 'node:crypto'

/** One more than a muxer of many links takes at once from a server that gives two for each link. */
const MOST = 16

/** A session of an earlier link, and whom it was with. */
export interface KeptSession {
  readonly session: Buffer
  readonly leaf: X509Certificate
}

/**
 * Sessions that may be resumed, of one target under one set of options. Each is used once, the newest first, so that
 * nobody on the way can tell that two links are of one client (RFC 8446 §C.4).
 */
export class KeptSessions {
  #kept: KeptSession[] = []

  /** Keeps one of a link that was verified. */
  keep(session: Buffer, leaf: X509Certificate): void {
    this.#kept.push({ session, leaf })
    if (this.#kept.length > MOST) this.#kept.shift()
  }

  /** Takes one out. */
  take(): KeptSession | undefined {
    return this.#kept.pop()
  }

  /** After a failure: what was agreed on may be worth nothing any more. */
  forget(): void {
    this.#kept = []
  }
}
