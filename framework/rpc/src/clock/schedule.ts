/** 16 Pings within two seconds bring the error below 2 ms on a line of 30 ± 20 ms, and decide whether a clock has jumped. */
const BURST = 16
const FAST_MS = 100
const SLOW_MS = 3000
/** Intervals grow by this after the burst, so that the drift is known early. */
const GROWTH = 1.25

/** When to send Pings: fast at first and when the answers contradict each other, then slowly. */
export class SampleSchedule {
  #fast = BURST
  #interval = FAST_MS
  #last: number | undefined

  dueIn(now: number): number {
    return this.#last === undefined ? 0 : Math.max(0, this.#last + this.#interval - now)
  }

  sent(now: number): void {
    this.#last = now
    if (this.#fast > 0) this.#fast--
    else this.#interval = Math.min(this.#interval * GROWTH, SLOW_MS)
  }

  /** An answer contradicts the others: a clock may have jumped, so ask again soon. */
  doubt(): void {
    this.#fast = BURST
    this.#interval = FAST_MS
  }

  /** The own clock was set back: the last Ping may be in its future. */
  restart(): void {
    this.#last = undefined
    this.doubt()
  }
}
