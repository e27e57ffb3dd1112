import type { X509Certificate } from 'node:crypto'

/** A server gives two for each handshake; more than one handshake at once is rare before there is one to resume. */
const MOST = 16

/** A session of an earlier link, and whom it was with. */
export interface KeptSession {
  readonly session: Buffer
  readonly leaf: X509Certificate
}

/**
 * Sessions that may be resumed, of one target under one set of options. Each is used once, so that nobody on the way can
 * tell that two links are of one client (RFC 8446 §C.4), but for the last: a server in Node gives no new one to whom
 * resumes, and a handshake in full costs both ends more than this is worth.
 */
export class KeptSessions {
  #kept: KeptSession[] = []

  /** How many there are, 16 at most. */
  get size(): number {
    return this.#kept.length
  }

  /** Keeps one of a link that was verified. */
  keep(session: Buffer, leaf: X509Certificate): void {
    this.#kept.push({ session, leaf })
    if (this.#kept.length > MOST) this.#kept.shift()
  }

  /** The one to resume, the newest first. */
  next(): KeptSession | undefined {
    return this.#kept.length > 1 ? this.#kept.pop() : this.#kept[0]
  }

  /** One that did not work: who cannot resume it is not asked to again. */
  drop(kept: KeptSession): void {
    this.#kept = this.#kept.filter((one) => one !== kept)
  }

  /** After a certificate was refused: none of what was agreed on before counts any more. */
  forget(): void {
    this.#kept = []
  }
}
