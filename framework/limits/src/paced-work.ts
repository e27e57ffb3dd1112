/** Work that peers cause: done once in an interval at most, and shared by all that wait for it. */
export class PacedWork<Result = void> {
  readonly #interval: number
  readonly #clock: { now(): number }
  readonly #work: () => Promise<Result>
  #begun = Number.NEGATIVE_INFINITY
  #running: Promise<Result> | undefined

  /** @param interval milliseconds from one beginning to the next, at least */
  constructor(interval: number, clock: { now(): number }, work: () => Promise<Result>) {
    this.#interval = interval
    this.#clock = clock
    this.#work = work
  }

  /** What is under way or due; `undefined` when there is nothing to wait for. Rejects as the work does. */
  due(): Promise<Result> | undefined {
    const waited = Math.abs(this.#clock.now() - this.#begun)
    return this.#running === undefined && waited >= this.#interval ? this.now() : this.#running
  }

  /** The work at once, or what is under way. */
  now(): Promise<Result> {
    if (this.#running !== undefined) return this.#running
    this.skip()
    this.#running = this.#work().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Counts as begun now: the same was done already. */
  skip(): void {
    this.#begun = this.#clock.now()
  }
}
