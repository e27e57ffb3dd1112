/** So much a second, and so much at once: what rates and bandwidths are kept with. */
export class TokenBucket {
  readonly #rate: number
  readonly #burst: number
  #tokens: number
  #since: number

  /**
   * @param rate per second
   * @param burst at once; also what an idle time saves up
   * @param now milliseconds; a clock that is set back costs what it would have brought since, and nothing more
   */
  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate
    this.#burst = burst
    this.#tokens = burst
    this.#since = now
  }

  /** What is there now; less than 0 when more was spent than there was. */
  tokens(now: number): number {
    if (now > this.#since) {
      this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#since) * this.#rate) / 1000)
    }
    this.#since = now
    return this.#tokens
  }

  /** Takes `count` if they are there; says whether. */
  take(count: number, now: number): boolean {
    if (this.tokens(now) < count) return false
    this.#tokens -= count
    return true
  }

  /** Takes `count`, there or not, and answers with the milliseconds until the debt is paid; 0 when there is none. */
  spend(count: number, now: number): number {
    this.#tokens = this.tokens(now) - count
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens * 1000) / this.#rate)
  }

  /** Milliseconds until `count` are there. */
  wait(count: number, now: number): number {
    const missing = Math.min(count, this.#burst) - this.tokens(now)
    return missing <= 0 ? 0 : Math.ceil((missing * 1000) / this.#rate)
  }
}
