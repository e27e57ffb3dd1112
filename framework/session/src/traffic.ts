import type { ConnectTimes, RefusalCounts } from '@rystra/plugin'

/** What many streams have come to: plain numbers, which cost nothing while they are not read. */
export class TrafficTotals {
  opened = 0
  toService = 0
  toVisitor = 0
  carriers = 0
  #reached = 0
  #reachedMs = 0
  #lastMs = 0
  /** Made with the first refusal: most proxies have none. */
  #refused: Map<string, number> | undefined

  /** A service was reached after so many milliseconds. */
  reached(ms: number): void {
    this.#reached += 1
    this.#reachedMs += ms
    this.#lastMs = ms
  }

  /** Bounded, as codes are those of the table of error codes. */
  refuse(code: string): void {
    this.#refused ??= new Map()
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1)
  }

  get connectTimes(): ConnectTimes {
    return { count: this.#reached, sum: this.#reachedMs, last: this.#lastMs }
  }

  get refused(): RefusalCounts {
    return this.#refused === undefined ? {} : Object.fromEntries(this.#refused)
  }
}
