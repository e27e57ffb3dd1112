import { isErrorCode } from '@rystra/model'
import type { ConnectTimes, RefusalCounts } from '@rystra/plugin'

/** Codes of extensions that are told apart: the other side may send any. */
const MAX_EXTENSION_CODES = 64

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
  #extensionCodes = 0

  /** A service was reached after so many milliseconds. */
  reached(ms: number): void {
    this.#reached += 1
    this.#reachedMs += ms
    this.#lastMs = ms
  }

  /** Bounded: codes of extensions beyond the first 64 are counted as `internal`. */
  refuse(code: string): void {
    this.#refused ??= new Map()
    const counted = this.#isCounted(code, this.#refused) ? code : 'internal'
    this.#refused.set(counted, (this.#refused.get(counted) ?? 0) + 1)
  }

  #isCounted(code: string, refused: ReadonlyMap<string, number>): boolean {
    if (isErrorCode(code) || refused.has(code)) return true
    this.#extensionCodes += 1
    return this.#extensionCodes <= MAX_EXTENSION_CODES
  }

  get connectTimes(): ConnectTimes {
    return { count: this.#reached, sum: this.#reachedMs, last: this.#lastMs }
  }

  get refused(): RefusalCounts {
    return this.#refused === undefined ? {} : Object.fromEntries(this.#refused)
  }
}
