import type { Clock } from '@rystra/plugin'

interface Timer {
  readonly at: number
  readonly fn: () => void
}

/** A clock that goes only when it is told to, so that a test of an hour takes no time. */
export class FakeClock implements Clock {
  #now: number
  readonly #timers = new Set<Timer>()

  /** @param start milliseconds since the epoch. @default 2024-01-01T00:00:00Z */
  constructor(start = Date.UTC(2024, 0, 1)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  after(ms: number, fn: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), fn }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** Timers that have not gone off. Zero once everything is stopped. */
  get pending(): number {
    return this.#timers.size
  }

  /** Milliseconds until the next timer goes off, or `undefined`. */
  get next(): number | undefined {
    const first = this.#first()
    return first === undefined ? undefined : first.at - this.#now
  }

  /**
   * Lets `ms` milliseconds pass. Timers go off in the order of their time, those of one time in the order they were set,
   * each at its own time; also those that are set on the way.
   */
  advance(ms: number): void {
    const until = this.#now + ms
    for (let timer = this.#first(); timer !== undefined && timer.at <= until; timer = this.#first()) {
      this.#now = timer.at
      this.#timers.delete(timer)
      timer.fn()
    }
    this.#now = until
  }

  /** As {@link advance}, and lets promises and I/O that were started by a timer settle before the next goes off. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms
    for (let timer = this.#first(); timer !== undefined && timer.at <= until; timer = this.#first()) {
      this.advance(timer.at - this.#now)
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.advance(until - this.#now)
    await new Promise((resolve) => setImmediate(resolve))
  }

  #first(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) if (first === undefined || timer.at < first.at) first = timer
    return first
  }
}
