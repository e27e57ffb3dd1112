import { networkOf, networks } from '@rystra/address'
import { durationOf } from '@rystra/limits'
import { defaults, type FailureOptions } from './options.js'
import { Slots } from './slots.js'

/** The longest wait, in milliseconds: below the time that a handshake may take, so that who waits can still get in. */
const LONGEST_WAIT = 4000

/** What the score is measured by where nobody is shut out. */
const SCALE = 10

/**
 * Who failed to authenticate how often. A score a network, that goes up by one with each failure and leaks away: `after`
 * in the time of `shutOutFor`.
 */
export class Failures {
  readonly #free: number
  readonly #delay: number
  readonly #after: number
  readonly #shutOutFor: number
  readonly #exempt: (address: string) => boolean
  readonly #time: () => number
  readonly #slots: Slots
  #scores = new Float64Array(0)
  #since = new Float64Array(0)
  /** When it is let in again; 0 for those that are not shut out. */
  #until = new Float64Array(0)

  constructor(options: FailureOptions, capacity: number, time: () => number) {
    const { free, delay, after, shutOutFor, exempt = [] } = { ...defaults, ...options }
    this.#free = free
    this.#delay = durationOf(delay)
    this.#after = after
    this.#shutOutFor = durationOf(shutOutFor)
    this.#exempt = networks(exempt, 'authFailures.exempt')
    this.#time = time
    this.#slots = new Slots(
      capacity,
      (slot) => this.#spare(slot),
      (size) => {
        this.#scores = larger(this.#scores, size)
        this.#since = larger(this.#since, size)
        this.#until = larger(this.#until, size)
      }
    )
  }

  get size(): number {
    return this.#slots.size
  }

  /** Whether failures of this address count at all. */
  counts(address: string): boolean {
    return !this.#exempt(address)
  }

  /** Counts a failure. */
  failed(address: string): void {
    if (!this.counts(address)) return
    const now = this.#time()
    const slot = this.#slots.take(networkOf(address), this.#clear)
    const score = this.#leak(slot, now) + 1
    this.#scores[slot] = score
    // Who fails while shut out had begun before: that is no reason for more.
    if (this.#after > 0 && Math.round(score) >= this.#after && (this.#until[slot] as number) <= now)
      this.#until[slot] = now + this.#shutOutFor
  }

  /** Milliseconds for which this address is shut out; 0 when it is not. */
  shutOut(address: string): number {
    const slot = this.#slots.find(networkOf(address))
    return slot === undefined ? 0 : Math.max(0, (this.#until[slot] as number) - this.#time())
  }

  /** Milliseconds that a handshake of this address waits; `undefined` where it has failed no more than is free. */
  slowed(address: string): number | undefined {
    const slot = this.#slots.find(networkOf(address))
    if (slot === undefined) return undefined
    const over = Math.round(this.#leak(slot, this.#time())) - this.#free
    return over <= 0 ? undefined : Math.min(LONGEST_WAIT, this.#delay * 2 ** (over - 1))
  }

  #leak(slot: number, now: number): number {
    const passed = Math.max(0, now - (this.#since[slot] as number))
    const leaked =
      this.#shutOutFor === 0 ? Number.POSITIVE_INFINITY : (passed * (this.#after || SCALE)) / this.#shutOutFor
    const left = passed === 0 ? (this.#scores[slot] as number) : Math.max(0, (this.#scores[slot] as number) - leaked)
    this.#scores[slot] = left
    this.#since[slot] = now
    return left
  }

  readonly #clear = (slot: number): void => {
    this.#scores[slot] = 0
    this.#until[slot] = 0
    this.#since[slot] = this.#time()
  }

  #spare(slot: number): number {
    const now = this.#time()
    if ((this.#until[slot] as number) > now) return -1
    return 1 - this.#leak(slot, now) / (this.#after || SCALE)
  }
}

const larger = (array: Float64Array<ArrayBuffer>, size: number): Float64Array<ArrayBuffer> => {
  const made = new Float64Array(size)
  made.set(array)
  return made
}
