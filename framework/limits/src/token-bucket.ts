/** A token bucket: a rate and a burst, for rate limits and bandwidth. */
export class TokenBucket {
  #rate: number
  #burst: number
  #tokens: number
  #since: number

  /**
   * @param rate per second
   * @param burst the most tokens, which an idle bucket collects
   * @param now milliseconds; a clock that is set back loses the tokens of that time, and no more
   */
  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate
    this.#burst = burst
    this.#tokens = burst
    this.#since = now
  }

  /** Another rate and burst from now on; what was collected, or is owed, stays. */
  set(rate: number, burst: number, now: number): void {
    this.#tokens = Math.min(burst, this.tokens(now))
    this.#rate = rate
    this.#burst = burst
  }

  /** The tokens that are left; negative while there is a debt. */
  tokens(now: number): number {
    if (now > this.#since) {
      this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#since) * this.#rate) / 1000)
    }
    this.#since = now
    return this.#tokens
  }

  /** Takes `count` if there are as many. Returns whether it did. */
  take(count: number, now: number): boolean {
    if (this.tokens(now) < count) return false
    this.#tokens -= count
    return true
  }

  /** Takes `count` even when there are fewer, and returns the milliseconds until the debt is paid; 0 without a debt. */
  spend(count: number, now: number): number {
    this.#tokens = this.tokens(now) - count
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens * 1000) / this.#rate)
  }

  /** Milliseconds until there are `count` tokens. */
  wait(count: number, now: number): number {
    const missing = Math.min(count, this.#burst) - this.tokens(now)
    return missing <= 0 ? 0 : Math.ceil((missing * 1000) / this.#rate)
  }
}
