import type { FakeClock } from './clock.js'
import { Random } from './random.js'

/** One direction of a line. All times in milliseconds. */
export interface LineOptions {
  /** What the fastest takes. @default 0 */
  readonly delay?: number
  /** What comes on top: evenly up to this, or exponentially with this mean. @default 0 */
  readonly jitter?: number
  /** @default 'uniform' */
  readonly distribution?: 'uniform' | 'exponential'
  /** Part that is lost, 0 to 1. @default 0 */
  readonly loss?: number
  /** Part that arrives twice, 0 to 1. @default 0 */
  readonly duplicates?: number
  /** What was sent earlier arrives earlier, as on one TCP connection. @default false */
  readonly ordered?: boolean
  /** Further delay for what is sent at a time: spells and stalls. @default none */
  readonly extra?: (now: number) => number
}

/** One direction of a bad line on a {@link FakeClock}: delay, jitter, loss, duplicates and reordering, the same for the same seed. */
export class SimulatedLine {
  readonly #clock: FakeClock
  readonly #random: Random
  readonly #options: LineOptions
  #last = Number.NEGATIVE_INFINITY

  constructor(clock: FakeClock, seed: number, options: LineOptions = {}) {
    this.#clock = clock
    this.#random = new Random(seed)
    this.#options = options
  }

  /** Calls `arrive` when what is sent now arrives: once, twice or not at all. */
  send(arrive: () => void): void {
    const { loss = 0, duplicates = 0 } = this.#options
    if (this.#chance() >= loss) this.#deliver(arrive)
    if (duplicates > 0 && this.#chance() < duplicates) this.#deliver(arrive)
  }

  #deliver(arrive: () => void): void {
    const { delay = 0, jitter = 0, distribution = 'uniform', ordered = false, extra } = this.#options
    const now = this.#clock.now()
    const drawn = this.#chance()
    const more = jitter * (distribution === 'uniform' ? drawn : -Math.log(1 - drawn))
    const at = now + delay + more + (extra?.(now) ?? 0)
    this.#last = ordered ? Math.max(at, this.#last) : at
    this.#clock.after(this.#last - now, arrive)
  }

  /** From `[0, 1)`. */
  #chance(): number {
    return this.#random.below(0x1000000) / 0x1000000
  }
}
