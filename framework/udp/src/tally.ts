import type { Clock, Logger, RystraError } from '@rystra/plugin'

/** Why a datagram was not passed on. */
export type Drop =
  /** The link between the two ends is slower than what comes: its newest is dropped. */
  | 'slow'
  /** The session has no stream now. */
  | 'closed'
  /** Too many sessions, of the proxy or of one visitor, or too many new ones. */
  | 'sessions'
  /** More than the visitor, or the proxy, may send. */
  | 'rate'
  /** A hook or a limit of the proxy refused the visitor. */
  | 'refused'
  /** Nobody answers at the service's address, or it has none. */
  | 'unreachable'
  /** Larger than the address family at the other end can carry. */
  | 'size'

/** Milliseconds between two lines of the log about the same thing. */
const QUIET = 10_000

/** Counts what was dropped, and says so, now and then: a flood must not become one of log lines. */
export class Tally {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #counts = new Map<Drop, { total: number; told: number; at: number }>()

  constructor(log: Logger, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** How many so far. */
  count(drop: Drop): number {
    return this.#counts.get(drop)?.total ?? 0
  }

  /** @param error made only when it is told */
  add(drop: Drop, error: () => RystraError): void {
    let entry = this.#counts.get(drop)
    if (entry === undefined) {
      entry = { total: 0, told: 0, at: Number.NEGATIVE_INFINITY }
      this.#counts.set(drop, entry)
    }
    entry.total += 1
    const now = this.#clock.now()
    if (now - entry.at < QUIET) return
    this.#log.warn({ err: error(), datagrams: entry.total - entry.told }, 'datagrams were dropped')
    entry.told = entry.total
    entry.at = now
  }
}
