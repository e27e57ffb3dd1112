import { networkOf, networks } from '@rystra/address'
import { durationOf } from '@rystra/limits'
import { defaults, type FailureOptions } from './options.js'
import { larger, Slots } from './slots.js'

/** Longest delay: below the handshake timeout, so that delayed clients can still authenticate. */
const MAX_WAIT_MS = 4000

/** Scale of the score without blocking. */
const SCALE = 10

/**
 * Failed authentications per network. A score increases by one with each failure and decays by `after` within
 * `shutOutFor`.
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
  /** End of the block; 0 for none. */
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

  /** Continues with the scores and blocks of an instance before a reload. */
  takeOver(before: Failures): void {
    for (const [network, from] of before.#slots.entries()) {
      const slot = this.#slots.take(network, this.#clear)
      this.#scores[slot] = before.#scores[from] as number
      this.#since[slot] = before.#since[from] as number
      this.#until[slot] = before.#until[from] as number
    }
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
    // Failures during a block started before it, and do not extend it.
    if (this.#after > 0 && Math.round(score) >= this.#after && (this.#until[slot] as number) <= now)
      this.#until[slot] = now + this.#shutOutFor
  }

  /** Milliseconds until the block of the address ends; 0 for none. */
  shutOut(address: string): number {
    const slot = this.#slots.find(networkOf(address))
    return slot === undefined ? 0 : Math.max(0, (this.#until[slot] as number) - this.#time())
  }

  /** Delay of a handshake of this address in milliseconds; `undefined` within the free failures. */
  slowed(address: string): number | undefined {
    const slot = this.#slots.find(networkOf(address))
    if (slot === undefined) return undefined
    const over = Math.round(this.#leak(slot, this.#time())) - this.#free
    return over <= 0 ? undefined : Math.min(MAX_WAIT_MS, this.#delay * 2 ** (over - 1))
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
