/** What one kind of load has done so far. */
export class Tally {
  sent = 0
  done = 0
  readonly failures = new Map<string, number>()
  /** Milliseconds of each round trip, the last 10,000 of them. */
  readonly #times: number[] = []
  #next = 0

  ok(ms?: number): void {
    this.done += 1
    if (ms === undefined) return
    this.#times[this.#next] = ms
    this.#next = (this.#next + 1) % 10_000
  }

  fail(reason: string): void {
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1)
  }

  get failed(): number {
    return [...this.failures.values()].reduce((sum, count) => sum + count, 0)
  }

  /** The round trip below which the share of all of them is. */
  quantile(share: number): number {
    const sorted = [...this.#times].sort((one, other) => one - other)
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
  }

  toString(): string {
    const reasons = [...this.failures].map(([reason, count]) => `${reason} ${count} times`).join(', ')
    const times = Number.isNaN(this.quantile(0.5))
      ? ''
      : `, median ${this.quantile(0.5).toFixed(0)} ms, 99 % ${this.quantile(0.99).toFixed(0)} ms`
    return `${this.done} of ${this.sent}${reasons === '' ? '' : ` (${reasons})`}${times}`
  }
}
