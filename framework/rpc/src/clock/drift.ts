import { type ClockSample, MAX_DRIFT } from './exchange.js'

/** How fast the offset changes: milliseconds per millisecond, with the standard deviation of that. */
export interface Drift {
  readonly rate: number
  readonly deviation: number
}

/** Crystals are within 100 ppm, two of them within 200. */
const PRIOR_DEVIATION = 100e-6
const BUCKET_MS = 30_000
/** No regression is better than what the temperature does to a crystal within minutes. */
const MIN_DEVIATION = 0.3e-6
const MIN_NOISE_MS = 0.002
const ROUNDS = 3
/** Two points have no residual that would tell how good the line is. */
const MIN_BUCKETS = 3

/** What is known before the first regression. */
export const UNKNOWN_DRIFT: Drift = { rate: 0, deviation: MAX_DRIFT }

interface Point {
  readonly at: number
  readonly offset: number
  readonly weight: number
}

/**
 * The offset in one bucket by the fastest trip of each direction, which need not be of the same exchange. The noise of
 * a minimum of n delays is about their mean excess over it, divided by n.
 */
const pointOf = (samples: readonly ClockSample[], rate: number): Point => {
  const count = samples.length
  const at = samples.reduce((sum, sample) => sum + sample.at / count, 0)
  let upper = Number.POSITIVE_INFINITY
  let lower = Number.NEGATIVE_INFINITY
  let width = 0
  for (const sample of samples) {
    const moved = rate * (at - sample.at)
    upper = Math.min(upper, sample.upper + moved)
    lower = Math.max(lower, sample.lower + moved)
    width += (sample.upper - sample.lower) / count
  }
  // One sample has no spread of its own, so its whole width stands for it.
  const noise = Math.max(count === 1 ? width : (width - (upper - lower)) / count, MIN_NOISE_MS)
  return { at, offset: (upper + lower) / 2, weight: 1 / (noise * noise) }
}

const bucketsOf = (samples: readonly ClockSample[]): ClockSample[][] => {
  const buckets = new Map<number, ClockSample[]>()
  for (const sample of samples) {
    const bucket = Math.floor(sample.at / BUCKET_MS)
    const present = buckets.get(bucket)
    if (present === undefined) buckets.set(bucket, [sample])
    else present.push(sample)
  }
  return [...buckets.values()]
}

/**
 * Weighted regression through points. The prior keeps two noisy ones from being taken for a drift; residuals larger
 * than their noise widen the deviation.
 */
const regress = (points: readonly Point[]): Drift => {
  const weight = points.reduce((sum, point) => sum + point.weight, 0)
  const meanAt = points.reduce((sum, point) => sum + (point.weight / weight) * point.at, 0)
  const meanOffset = points.reduce((sum, point) => sum + (point.weight / weight) * point.offset, 0)
  let spread = 0
  let product = 0
  for (const { at, offset, weight } of points) {
    spread += weight * (at - meanAt) ** 2
    product += weight * (at - meanAt) * (offset - meanOffset)
  }
  const precision = spread + 1 / PRIOR_DEVIATION ** 2
  const rate = Math.min(Math.max(product / precision, -MAX_DRIFT), MAX_DRIFT)
  const residual = points.reduce(
    (sum, { at, offset, weight }) => sum + weight * (offset - meanOffset - rate * (at - meanAt)) ** 2,
    0
  )
  const scale = points.length > 2 ? Math.max(1, residual / (points.length - 2)) : 1
  return { rate, deviation: Math.max(Math.sqrt(scale / precision), MIN_DEVIATION) }
}

/** The drift by regression through the filtered offsets of {@link BUCKET_MS} each. The first round takes it out of each bucket for the second. */
export const estimateDrift = (samples: readonly ClockSample[], known: Drift): Drift => {
  const buckets = bucketsOf(samples)
  if (buckets.length < MIN_BUCKETS) return UNKNOWN_DRIFT
  let drift = known
  for (let round = 0; round < ROUNDS; round++) {
    const { rate } = drift
    drift = regress(buckets.map((bucket) => pointOf(bucket, rate)))
  }
  return drift
}
