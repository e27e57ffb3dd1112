import { TokenBucket } from '@rystra/limits'
import type { UdpLimits } from './limits.js'
import { Recency } from './recency.js'
import { type VisitorHost, VisitorSession } from './visitor-session.js'

/** Milliseconds of silence after which a session that was used both ways may be pushed out by a new one. */
const QUIET = 5000

/** Sessions of one visitor that are looked at to find one to push out. */
const LOOKS = 8

/**
 * The sessions of visitors, by address, by number, and by their last use; each O(1). Those whose visitor has proven
 * that it gets answers are kept apart: a flood from addresses that are not the sender's pushes out its own kind first.
 */
export class SessionTable {
  readonly #limits: UdpLimits
  readonly #hosts = new Map<string, VisitorHost>()
  readonly #ids = new Map<number, VisitorSession>()
  readonly #fresh = new Recency<VisitorSession>()
  readonly #proven = new Recency<VisitorSession>()
  readonly #begins: TokenBucket
  #next = 0

  constructor(limits: UdpLimits, now: number) {
    this.#limits = limits
    this.#begins = new TokenBucket(limits.maxSessions, limits.maxSessions, now)
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

  /** Makes room for one more, by `push` of another. Answers whether there is. */
  makeRoom(host: string, now: number, push: (session: VisitorSession) => void): boolean {
    const there = this.#hosts.get(host)
    // First its own: one address with many ports must not use up what there is for all.
    if (there?.begins.take(1, now) === false || !this.#begins.take(1, now)) return false
    const own = there?.sessions
    if (own !== undefined && own.size >= this.#limits.maxSessionsPerVisitor) push(leastOf(own))
    if (this.#ids.size < this.#limits.maxSessions) return true
    const oldest = this.#fresh.oldest ?? this.#proven.oldest
    if (oldest === undefined || (oldest.proven && now - oldest.seen < QUIET)) return false
    push(oldest)
    return true
  }

  add(host: string, port: number, now: number): VisitorSession {
    let of = this.#hosts.get(host)
    if (of === undefined) {
      const { packetsPerVisitor: rate, maxSessionsPerVisitor, maxSessions } = this.#limits
      // New ones within a second.
      const most = Math.max(maxSessionsPerVisitor, maxSessions / 4)
      // A quarter of a second at once, as games and calls send.
      const bucket = rate === 0 ? undefined : new TokenBucket(rate, Math.max(1, rate / 4), now)
      of = { host, sessions: new Map(), bucket, begins: new TokenBucket(most, most, now) }
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

  touch(session: VisitorSession, now: number): void {
    const list = session.proven ? this.#proven : this.#fresh
    list.touch(session, now)
  }

  /** The visitor has proven that it gets what is sent to its address. */
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

  /** One whose time is over by now, if any. */
  overdue(now: number): VisitorSession | undefined {
    const last = now - this.#limits.sessionTimeout
    for (const { oldest } of [this.#fresh, this.#proven]) if (oldest !== undefined && oldest.seen <= last) return oldest
    return undefined
  }

  /** Milliseconds of the clock when the next is over, if there is any. */
  get nextExpiry(): number | undefined {
    const seen = Math.min(this.#fresh.oldest?.seen ?? Infinity, this.#proven.oldest?.seen ?? Infinity)
    return seen === Infinity ? undefined : seen + this.#limits.sessionTimeout
  }
}

/** Of one visitor: the first that is not proven, of those that have been looked at least recently; or the quietest of them. */
const leastOf = (sessions: Map<number, VisitorSession>): VisitorSession => {
  const looked: VisitorSession[] = []
  for (const session of sessions.values()) {
    if (!session.proven) return session
    looked.push(session)
    if (looked.length === LOOKS) break
  }
  const least = looked.reduce((one, other) => (other.seen < one.seen ? other : one))
  // The others go to the end of the line.
  for (const session of looked) {
    sessions.delete(session.port)
    sessions.set(session.port, session)
  }
  return least
}
