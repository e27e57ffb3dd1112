import type { Clock, Logger, RystraError } from '@rystra/plugin'

/** Reason of a dropped datagram. */
export type Drop =
  /** The link between the two ends is congested. */
  | 'slow'
  /** The session has no stream. */
  | 'closed'
  /** Session limit of the proxy or of one visitor address. */
  | 'sessions'
  /** Rate limit of the visitor or the proxy. */
  | 'rate'
  /** A hook or a limit of the proxy refused the visitor. */
  | 'refused'
  /** The service does not listen, or its name has no address. */
  | 'unreachable'
  /** Too large for the address family at the other end. */
  | 'size'

/** Time between two log lines with the same reason. */
const LOG_INTERVAL_MS = 10_000

/** Counts dropped datagrams, and logs them at a limited rate: a flood must not flood the log. */
export class DropCounter {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #counts = new Map<Drop, { total: number; reported: number; at: number }>()

  constructor(log: Logger, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** Number of drops. */
  count(drop: Drop): number {
    return this.#counts.get(drop)?.total ?? 0
  }

  /** @param error created only when it is logged */
  add(drop: Drop, error: () => RystraError): void {
    let entry = this.#counts.get(drop)
    if (entry === undefined) {
      entry = { total: 0, reported: 0, at: Number.NEGATIVE_INFINITY }
      this.#counts.set(drop, entry)
    }
    entry.total += 1
    const now = this.#clock.now()
    if (now - entry.at < LOG_INTERVAL_MS) return
    this.#log.warn({ err: error(), datagrams: entry.total - entry.reported }, 'datagrams were dropped')
    entry.reported = entry.total
    entry.at = now
  }
}
