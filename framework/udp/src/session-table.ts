import { TokenBucket } from '@rystra/limits'
import type { UdpLimits } from './limits.js'
import { Recency } from './recency.js'
import { type VisitorHost, VisitorSession } from './visitor-session.js'

/** Silence after which a session that was used in both directions may be evicted. */
const EVICT_AFTER_MS = 5000

/** Sessions of one visitor that are examined for eviction. */
const MAX_EXAMINED = 8

/**
 * The sessions of visitors by address, number and last use; each O(1). Sessions whose visitor has proved its address
 * are kept apart: a flood from spoofed addresses evicts its own kind first.
 */
export class SessionTable {
  #limits: UdpLimits
  readonly #hosts = new Map<string, VisitorHost>()
  readonly #ids = new Map<number, VisitorSession>()
  readonly #fresh = new Recency<VisitorSession>()
  readonly #proven = new Recency<VisitorSession>()
  #begins: TokenBucket
  #next = 0

  constructor(limits: UdpLimits, now: number) {
    this.#limits = limits
    this.#begins = new TokenBucket(limits.maxSessions, limits.maxSessions, now)
  }

  /** Other limits are in force: sessions that there are stay, also above them. */
  use(limits: UdpLimits, now: number): void {
    this.#limits = limits
    this.#begins = new TokenBucket(limits.maxSessions, limits.maxSessions, now)
    for (const of of this.#hosts.values()) Object.assign(of, this.#bucketsOf(now))
  }

  get size(): number {
    return this.#ids.size
  }

  get(id: number): VisitorSession | undefined {
    return this.#ids.get(id)
  }

  find(host: string, port: number): VisitorSession | undefined {
    return this.#hosts.get(host)?.sessions.get(port)
  }

  all(): VisitorSession[] {
    return [...this.#ids.values()]
  }

  /** Makes room for one more session by evicting another with `evict`. Returns whether known is room. */
  makeRoom(host: string, now: number, evict: (session: VisitorSession) => void): boolean {
    const known = this.#hosts.get(host)
    // The address' own limit first: one address with many ports must not use up the global one.
    if (known?.begins.take(1, now) === false || !this.#begins.take(1, now)) return false
    const own = known?.sessions
    if (own !== undefined && own.size >= this.#limits.maxSessionsPerVisitor) evict(evictionCandidate(own))
    if (this.#ids.size < this.#limits.maxSessions) return true
    const oldest = this.#fresh.oldest ?? this.#proven.oldest
    if (oldest === undefined || (oldest.proven && now - oldest.seen < EVICT_AFTER_MS)) return false
    evict(oldest)
    return true
  }

  add(host: string, port: number, now: number): VisitorSession {
    let of = this.#hosts.get(host)
    if (of === undefined) {
      of = { host, sessions: new Map(), ...this.#bucketsOf(now) }
      this.#hosts.set(host, of)
    }
    while (this.#ids.has(this.#next)) this.#next = (this.#next + 1) >>> 0
    const session = new VisitorSession(this.#next, of, port, now)
    this.#next = (this.#next + 1) >>> 0
    of.sessions.set(port, session)
    this.#ids.set(session.id, session)
    this.#fresh.add(session)
    return session
  }

  #bucketsOf(now: number): Pick<VisitorHost, 'bucket' | 'begins'> {
    const { packetsPerVisitor: rate, maxSessionsPerVisitor, maxSessions } = this.#limits
    // New sessions per second.
    const max = Math.max(maxSessionsPerVisitor, maxSessions / 4)
    // Burst of a quarter of a second, as games and calls send.
    const bucket = rate === 0 ? undefined : new TokenBucket(rate, Math.max(1, rate / 4), now)
    return { bucket, begins: new TokenBucket(max, max, now) }
  }

  touch(session: VisitorSession, now: number): void {
    const list = session.proven ? this.#proven : this.#fresh
    list.touch(session, now)
  }

  /** The visitor has proved that it receives at its address. */
  prove(session: VisitorSession): void {
    this.#fresh.remove(session)
    session.proven = true
    this.#proven.add(session)
  }

  remove(session: VisitorSession): void {
    const { of, port, id } = session
    of.sessions.delete(port)
    if (of.sessions.size === 0) this.#hosts.delete(of.host)
    this.#ids.delete(id)
    const list = session.proven ? this.#proven : this.#fresh
    list.remove(session)
  }

  /** A session that has expired, if any. */
  expired(now: number): VisitorSession | undefined {
    const last = now - this.#limits.sessionTimeout
    for (const { oldest } of [this.#fresh, this.#proven]) if (oldest !== undefined && oldest.seen <= last) return oldest
    return undefined
  }

  /** The time of the next expiry, if any. */
  get nextExpiry(): number | undefined {
    const seen = Math.min(this.#fresh.oldest?.seen ?? Infinity, this.#proven.oldest?.seen ?? Infinity)
    return seen === Infinity ? undefined : seen + this.#limits.sessionTimeout
  }
}

/**
 * The session of a visitor to evict: the first without proof, or the most silent of the least recently examined ones.
 */
const evictionCandidate = (sessions: Map<number, VisitorSession>): VisitorSession => {
  const examined: VisitorSession[] = []
  for (const session of sessions.values()) {
    if (!session.proven) return session
    examined.push(session)
    if (examined.length === MAX_EXAMINED) break
  }
  const least = examined.reduce((one, other) => (other.seen < one.seen ? other : one))
  // Examined sessions go to the end of the order.
  for (const session of examined) {
    sessions.delete(session.port)
    sessions.set(session.port, session)
  }
  return least
}
