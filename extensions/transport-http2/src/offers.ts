import { FIRST_OFFERS } from './wire.js'

/** How many offers the client shall keep waiting: twice as many when they run out, half as many when they lie about. */
export class Demand {
  /** Offers that are wanted now. */
  wanted = FIRST_OFFERS
  /** Offers that may wait: the most that were ever wanted, since the client learns late that it has become less. */
  allowed = FIRST_OFFERS
  readonly #most: number
  #fewest = 0

  constructor(most: number) {
    this.#most = most
  }

  /** `waiting` streams found no offer. Answers whether more are wanted now. */
  short(waiting: number): boolean {
    const before = this.wanted
    this.wanted = Math.min(this.#most, Math.max(2 * before, before + waiting))
    this.allowed = Math.max(this.allowed, this.wanted)
    return this.wanted !== before
  }

  /** So many are left after one was taken. */
  left(ready: number): void {
    this.#fewest = Math.min(this.#fewest, ready)
  }

  /** Some time has gone by, and `ready` wait. Answers whether fewer are wanted now. */
  rest(ready: number): boolean {
    const idle = this.#fewest > this.wanted / 2
    this.#fewest = ready
    if (!idle || this.wanted <= FIRST_OFFERS) return false
    this.wanted = Math.max(FIRST_OFFERS, this.wanted >> 1)
    return true
  }
}
