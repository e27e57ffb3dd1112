/** What a number is beside those before it. */
export type Arrival = 'first' | 'next' | 'reordered' | 'old' | 'duplicate' | 'refused' | 'resync'

/** So many numbers below the highest are remembered one by one. */
const REMEMBERED = 1024
/** A gap of more is no loss: at 1,000 a second it would have lasted a minute. */
const MAX_GAP = 65_536
/** So many numbers that follow each other behind such a gap are the sender's new place; fewer are refused. */
const RESYNC_COUNT = 4
const RESYNC_GAP = 64

/**
 * Sequence numbers, safe integers from 0 up, as they arrive: in any order, repeated, forged. Memory is constant. Numbers
 * never restart: one far below the highest is old, and no repetition of old ones can move the sequence back.
 */
export class SequenceTracker {
  /** The number last seen in each place: a number has its remainder's. */
  readonly #seen = new Float64Array(REMEMBERED).fill(-1)
  #highest = -1
  #candidate = -1
  #confirmed = 0

  add(seq: number): Arrival {
    if (!Number.isSafeInteger(seq) || seq < 0) return 'refused'
    if (this.#highest === -1) return this.#advance(seq, 'first')
    if (seq > this.#highest + MAX_GAP) return this.#leap(seq)
    if (seq > this.#highest) return this.#advance(seq, 'next')
    if (this.#seen[seq % REMEMBERED] === seq) return 'duplicate'
    if (seq <= this.#highest - REMEMBERED) return 'old'
    this.#seen[seq % REMEMBERED] = seq
    return 'reordered'
  }

  #advance(seq: number, arrival: Arrival): Arrival {
    this.#highest = seq
    this.#candidate = -1
    this.#seen[seq % REMEMBERED] = seq
    return arrival
  }

  #leap(seq: number): Arrival {
    const follows = this.#candidate !== -1 && seq > this.#candidate && seq <= this.#candidate + RESYNC_GAP
    this.#confirmed = follows ? this.#confirmed + 1 : 1
    this.#candidate = seq
    return this.#confirmed < RESYNC_COUNT ? 'refused' : this.#advance(seq, 'resync')
  }
}
