/** When to try again. */
export interface BackoffOptions {
  /** Longest first delay, in milliseconds. @default 250 */
  readonly min?: number
  /** Longest delay at all, in milliseconds. @default 30000 */
  readonly max?: number
  /** @default Math.random */
  readonly random?: () => number
}

/**
 * Exponential back-off with full jitter: each delay is anywhere between 0 and a limit that doubles. So a thousand clients
 * of a server that restarts do not come back in step.
 */
export class Backoff {
  attempts = 0
  readonly #min: number
  readonly #max: number
  readonly #random: () => number

  constructor({ min = 250, max = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#min = min
    this.#max = max
    this.#random = random
  }

  /** Milliseconds to wait before the next try. @param longest a limit for this one delay */
  next(longest = Number.POSITIVE_INFINITY): number {
    const limit = Math.min(longest, this.#max, this.#min * 2 ** Math.min(this.attempts, 30))
    this.attempts += 1
    return Math.round(this.#random() * limit)
  }

  /** The next try without a wait. */
  skip(): number {
    this.attempts += 1
    return 0
  }

  /** After a success that lasted. */
  reset(): void {
    this.attempts = 0
  }
}
