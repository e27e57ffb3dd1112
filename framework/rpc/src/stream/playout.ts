import { TransitWindow } from './transit-window.js'

/** How long messages are held. All in milliseconds. */
export interface PlayoutOptions {
  /** Least delay beyond the fastest trip. @default 0 */
  readonly minDelay?: number
  /** Largest delay beyond the fastest trip, and the longest that any message waits. @default 1000 */
  readonly maxDelay?: number
  /** Delay until the line is known. @default 40 */
  readonly initialDelay?: number
}

const WINDOW_MS = 10_000
const PERCENTILE = 0.99
/** Half of what two clocks drift within the window. */
const MARGIN_MS = 0.5
/** Milliseconds per millisecond: players hide 5 % of speed. */
const SHRINK = 0.05
/** No line is slower by so much at once, so a clock has jumped. With a larger `maxDelay` that takes its place. */
const JUMP_MS = 500
/** So many transits that agree with each other and not with the window are a jump of a clock. */
const JUMP_COUNT = 4

/**
 * When to release messages, by their transits (arrival by the own clock minus timestamp by the sender's, so with the
 * offset of the clocks in it): those of 99 % within 10 s. Grows at once, shrinks by 50 ms in a second.
 */
export class Playout {
  readonly #min: number
  readonly #max: number
  readonly #initial: number
  readonly #window = new TransitWindow(WINDOW_MS)
  #hold = Number.NaN
  #changed = 0
  #jumps: number[] = []

  constructor({ minDelay = 0, maxDelay = 1000, initialDelay = 40 }: PlayoutOptions = {}) {
    if (!(minDelay >= 0 && minDelay <= maxDelay)) throw new RangeError('minDelay must be from 0 to maxDelay')
    this.#min = minDelay
    this.#max = maxDelay
    this.#initial = Math.min(Math.max(initialDelay, minDelay), maxDelay)
  }

  /** The fastest transit of the last seconds; NaN before the first message. */
  get base(): number {
    return this.#window.min
  }

  /** Milliseconds that a message is held beyond the fastest trip. */
  get delay(): number {
    return Number.isNaN(this.#hold) ? this.#initial : Math.max(0, this.#hold - this.base)
  }

  get maxDelay(): number {
    return this.#max
  }

  /** When a message with this timestamp is released, by the own clock. */
  due(timestamp: number): number {
    return timestamp + this.#hold
  }

  /** Takes the transit of what arrived `now`. */
  add(now: number, timestamp: number): void {
    const transit = now - timestamp
    if (this.#window.size > 0 && this.#jumped(transit)) {
      if (this.#jumps.length < JUMP_COUNT) return
      this.#window.clear()
      this.#hold = Number.NaN
      for (const each of this.#jumps) this.#window.add(now, each)
    } else this.#window.add(now, transit)
    this.#jumps = []
    this.#adapt(now)
  }

  #jumped(transit: number): boolean {
    const { base } = this
    const jump = Math.max(JUMP_MS, this.#max)
    if (Math.abs(transit - base) <= jump) return false
    const last = this.#jumps.at(-1)
    if (last !== undefined && Math.abs(transit - last) > jump) this.#jumps = []
    this.#jumps.push(transit)
    return true
  }

  #adapt(now: number): void {
    const { base } = this
    const known = !Number.isNaN(this.#hold)
    const slowest = known ? this.#hold - SHRINK * Math.max(0, now - this.#changed) : base + this.#initial
    const wanted = Math.max(this.#window.percentile(PERCENTILE) + MARGIN_MS, base + this.#min)
    this.#hold = Math.min(Math.max(wanted, slowest), base + this.#max)
    this.#changed = now
  }
}
