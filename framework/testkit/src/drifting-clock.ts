import type { Clock } from '@rystra/plugin'

/** A clock that is wrong: ahead of another one by an offset, fast or slow, and set or suspended at will. */
export class DriftingClock implements Clock {
  readonly #base: Clock
  readonly #rate: number
  readonly #start: number
  #offset: number

  /**
   * @param offset milliseconds ahead
   * @param ppm how much faster it goes, in millionths
   */
  constructor(base: Clock, { offset = 0, ppm = 0 }: { offset?: number; ppm?: number } = {}) {
    this.#base = base
    this.#offset = offset
    this.#rate = 1 + ppm * 1e-6
    this.#start = base.now()
  }

  now(): number {
    return this.#start + this.#offset + (this.#base.now() - this.#start) * this.#rate
  }

  after(ms: number, fn: () => void): () => void {
    return this.#base.after(ms / this.#rate, fn)
  }

  /** Sets it forward, or back; a suspended machine falls behind. */
  jump(ms: number): void {
    this.#offset += ms
  }
}
