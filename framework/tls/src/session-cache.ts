import type { X509Certificate } from 'node:crypto'
import { withoutCertificate } from './stored-session.js'

/** A server issues two per handshake; more than one handshake before there is a session is rare. */
const MAX_SESSIONS = 16

/** A session of an earlier link, and the certificate of its peer. */
export interface CachedSession {
  readonly session: Buffer
  readonly leaf: X509Certificate
}

/**
 * Resumable sessions of one target under one set of options. Each is used once, so that an observer cannot link two
 * connections (RFC 8446 appendix C.4), except the last: a Node server issues no new session on resumption, and full
 * handshakes cost both ends more than this is worth.
 */
export class SessionCache {
  #kept: CachedSession[] = []

  /** Number of sessions, 16 at most. */
  get size(): number {
    return this.#kept.length
  }

  /** Adds a session of a verified link. */
  keep(session: Buffer, leaf: X509Certificate): void {
    this.#kept.push({ session: withoutCertificate(session), leaf })
    if (this.#kept.length > MAX_SESSIONS) this.#kept.shift()
  }

  /** The session to resume, the newest first. */
  next(): CachedSession | undefined {
    return this.#kept.length > 1 ? this.#kept.pop() : this.#kept[0]
  }

  /** Removes a session that was not resumed. */
  drop(kept: CachedSession): void {
    this.#kept = this.#kept.filter((one) => one !== kept)
  }

  /** Removes all sessions after a certificate was refused. */
  forget(): void {
    this.#kept = []
  }
}
