import type { SessionClock } from './session-clock.js'

/**
 * Local times of what one consumer receives. They never go backwards, also when a clock jumps, and are never later than
 * now: what has arrived was stamped before.
 */
export class TimestampReader {
  readonly #clock: SessionClock
  #latest = Number.NEGATIVE_INFINITY

  constructor(clock: SessionClock) {
    this.#clock = clock
  }

  /** The local time of a timestamp of the peer, in milliseconds since the epoch. Without a synchronised clock that is now. */
  read(timestamp: number): number {
    const now = this.#clock.local()
    const local = this.#clock.synchronised ? Math.min(this.#clock.toLocal(timestamp), now) : now
    this.#latest = Math.max(this.#latest, local)
    return this.#latest
  }
}
