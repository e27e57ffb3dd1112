/**
 * Minimum of the result: on loopback a turn of the event loop takes longer than the wire, and windows must
 * still grow.
 */
const MIN_MS = 1

/** How much the result may rise with each sample, as a share of itself: to the double in 45 samples. */
const MAX_RISE = 1 / 64

/**
 * The round trip of a link without its queues, which windows are measured by: queues lengthen a round trip, and windows that grew
 * because of queues would make them longer. So it follows a shorter sample at once, and longer ones slowly. A path that has become
 * longer for good is not slowed by that: windows have room for four round trips.
 */
export class RoundTrip {
  /** Milliseconds; 0 before the first sample. */
  #ms = 0

  /** Milliseconds, at least {@link MIN_MS}. */
  get ms(): number {
    return Math.max(MIN_MS, this.#ms)
  }

  add(sample: number): void {
    this.#ms = this.#ms === 0 ? sample : Math.min(sample, this.#ms * (1 + MAX_RISE))
  }
}
