import type { Clock, Logger, RystraError } from '@rystra/plugin'

/** Where a datagram was dropped, or why. */
export type Drop =
  /** The receive buffer of the socket was full: the process was busy. */
  | 'input'
  /** The queue of the stream, or of the datagrams of its link, was full: the link is congested. */
  | 'link'
  /** The kernel accepts no more datagrams, or refused one. */
  | 'output'
  /** There is no stream, or it ended with what was queued. */
  | 'closed'
  /** The session is over, or another number than was given. */
  | 'ended'
  /** Session limit of the proxy or of one visitor address. */
  | 'sessions'
  /** Rate limit of the visitor or the proxy. */
  | 'rate'
  /** A hook or a limit of the proxy refused the visitor. */
  | 'refused'
  /** A tap of an extension. */
  | 'extension'
  /** The code for it threw. */
  | 'exception'
  /** The service does not listen, or its name has no address. */
  | 'unreachable'
  /** Too large for the address family at the other end. */
  | 'size'

/** What the log says of drops that are logged and have no error of their own. */
export const dropDetails: Readonly<Partial<Record<Drop, string>>> = {
  link: 'datagrams arrive faster than the link carries',
  output: 'datagrams arrive faster than the network takes them',
  sessions: 'session limit reached',
  rate: 'rate limit of UDP visitors exceeded',
  size: 'datagram too large for IPv4'
}

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

  /** All that were counted. */
  get totals(): Readonly<Partial<Record<Drop, number>>> {
    return Object.fromEntries([...this.#counts].map(([drop, { total }]) => [drop, total]))
  }

  /** @param error created only when it is logged; without it the drop is not logged */
  add(drop: Drop, error?: () => RystraError, datagrams = 1): void {
    let entry = this.#counts.get(drop)
    if (entry === undefined) {
      entry = { total: 0, reported: 0, at: Number.NEGATIVE_INFINITY }
      this.#counts.set(drop, entry)
    }
    entry.total += datagrams
    if (error === undefined) return
    const now = this.#clock.now()
    if (now - entry.at < LOG_INTERVAL_MS) return
    this.#log.warn({ err: error(), datagrams: entry.total - entry.reported }, 'datagrams were dropped')
    entry.reported = entry.total
    entry.at = now
  }
}
