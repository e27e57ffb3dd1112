import { type Drift, estimateDrift, UNKNOWN_DRIFT } from './drift.js'
import { type ClockSample, MAX_DRIFT } from './exchange.js'

/** Where the offset was at one moment of the own clock, and how it moves. */
export interface OffsetEstimate {
  readonly at: number
  readonly offset: number
  /** Half the width of what the samples leave possible. */
  readonly error: number
  readonly rate: number
  /** How much the error grows in a millisecond. */
  readonly errorRate: number
}

/** Ten minutes of samples 3 s apart, and a first burst. */
const MAX_SAMPLES = 256
const WINDOW_MS = 600_000
/** So many samples that contradict all of before are a jump of a clock; fewer within the next {@link DOUBT_SAMPLES} are an accident. */
const JUMP_SAMPLES = 3
const DOUBT_SAMPLES = 16
/** Three deviations, and what no regression sees. */
const DEVIATIONS = 3
const RATE_FLOOR = 1e-6

/**
 * Where a line of samples leaves the offset: all of their intervals overlap, each moved by the drift and widened by the
 * doubt in it. Starts with the newest and stops at one that contradicts those that are newer.
 */
const intersect = (samples: readonly ClockSample[], at: number, rate: number, doubt: number) => {
  let upper = Number.POSITIVE_INFINITY
  let lower = Number.NEGATIVE_INFINITY
  let used = 0
  for (let index = samples.length - 1; index >= 0; index--) {
    const sample = samples[index] as ClockSample
    const age = at - sample.at
    const widened = doubt * Math.abs(age)
    const nextUpper = Math.min(upper, sample.upper + rate * age + widened)
    const nextLower = Math.max(lower, sample.lower + rate * age - widened)
    if (nextLower > nextUpper) break
    upper = nextUpper
    lower = nextLower
    used++
  }
  return { upper, lower, used }
}

/** The offset of the peer's clock from samples: bounded memory, any order, no assumption but that clocks drift slowly and seldom jump. */
export class OffsetEstimator {
  #samples: ClockSample[] = []
  /** Samples since one contradicted all before it, while it is not decided why. */
  #recent: ClockSample[] = []
  #suspects: ClockSample[] = []
  #drift: Drift = UNKNOWN_DRIFT

  /** Adds a sample. `jumped` when one of the clocks did: the estimate starts again from the newest samples. */
  add(sample: ClockSample): 'used' | 'suspect' | 'jumped' {
    const { upper, lower } = this.#bounds(sample.at)
    const contradicts = sample.lower > upper || sample.upper < lower
    if (contradicts) this.#suspects.push(sample)
    if (this.#suspects.length === 0) {
      this.#use([sample])
      return 'used'
    }
    this.#recent.push(sample)
    if (this.#suspects.length >= JUMP_SAMPLES) return this.#jump()
    if (this.#recent.length >= DOUBT_SAMPLES) this.#dismiss()
    return contradicts ? 'suspect' : 'used'
  }

  clear(): void {
    this.#samples = []
    this.#drift = UNKNOWN_DRIFT
    this.#settle()
  }

  /** `undefined` without samples. */
  estimate(at: number): OffsetEstimate | undefined {
    if (this.#samples.length === 0) return undefined
    const { upper, lower } = this.#bounds(at)
    const offset = (upper + lower) / 2
    let error = (upper - lower) / 2
    // Until it is decided whether a clock has jumped, both answers are possible.
    for (const suspect of this.#suspects)
      error = Math.max(error, Math.abs(suspect.upper - offset), Math.abs(suspect.lower - offset))
    return { at, offset, error, rate: this.#drift.rate, errorRate: this.#doubt }
  }

  get #doubt(): number {
    return Math.min(DEVIATIONS * this.#drift.deviation + RATE_FLOOR, MAX_DRIFT)
  }

  #bounds(at: number) {
    return intersect(this.#samples, at, this.#drift.rate, this.#doubt)
  }

  #use(samples: readonly ClockSample[]): void {
    this.#samples.push(...samples)
    const now = samples.at(-1)?.at ?? 0
    const { used } = this.#bounds(now)
    this.#samples = this.#samples.slice(-Math.min(used, MAX_SAMPLES)).filter((each) => now - each.at <= WINDOW_MS)
    this.#drift = estimateDrift(this.#samples, this.#drift)
  }

  #jump(): 'jumped' {
    const samples = this.#recent
    this.clear()
    this.#use(samples)
    return 'jumped'
  }

  /** It was an accident: the others that came meanwhile count. */
  #dismiss(): void {
    const samples = this.#recent.filter((sample) => !this.#suspects.includes(sample))
    this.#settle()
    this.#use(samples)
  }

  #settle(): void {
    this.#recent = []
    this.#suspects = []
  }
}
