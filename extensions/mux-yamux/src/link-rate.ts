import { performance } from 'node:perf_hooks'

/** Milliseconds of a measurement, at least. */
const MEASURE_MS = 100

/** What a link sends in so many milliseconds may wait in the kernel, and be one frame: it is in front of all other streams. */
const WAIT_MS = 20
const MIN_WAIT_BYTES = 64 * 1024

/** The same before it is known how fast the link is. */
const FIRST_WAIT_BYTES = 512 * 1024

/** As much as the kernel keeps by itself. */
const MAX_WAIT_BYTES = 4 * 1024 * 1024

/** Bytes in a millisecond, below which streams get less at a time while others wait: what the link sends in so many milliseconds. */
const SLOW_RATE = 12_000
const SHARE_MS = 3
const MIN_SHARE_BYTES = 16 * 1024

/**
 * How fast a link is, measured while it is busy, and how much of it a stream may take at once: the native part has the same for its
 * links. A slow link gets small frames in turn, and keeps little that is not sent.
 */
export class LinkRate {
  /** Bytes in a millisecond; 0 before the first measurement. */
  #rate = 0
  #since = 0
  #bytes = 0
  #waited = 0
  #blockedAt = 0
  #unsent = 0
  readonly #limit: (bytes: number) => boolean

  /** @param limit limits what waits in the kernel; 0 for no limit. Whether it did */
  constructor(limit: (bytes: number) => boolean) {
    this.#limit = limit
    this.#wait(FIRST_WAIT_BYTES)
  }

  /** When the link was blocked. */
  get blockedAt(): number {
    return this.#blockedAt
  }

  /** A write was begun. */
  wrote(bytes: number): void {
    this.#bytes += bytes
  }

  blocked(now = performance.now()): void {
    this.#blockedAt = now
  }

  /** @param busy data of a stream was written, or waits: not only frames without payload, or a few bytes */
  unblocked(busy: boolean, now = performance.now()): void {
    if (busy) this.#waited += now - this.#blockedAt
    this.#measure(now)
  }

  /** A write was taken at once: a link that was slow may have become faster, and not be blocked any more. */
  free(now?: number): void {
    if (this.#rate > 0 && this.#rate < SLOW_RATE) this.#measure(now ?? performance.now())
  }

  /** Ends a measurement that is long enough. What a link carries while it waits for its streams is the least that it can. */
  #measure(now: number): void {
    const took = now - this.#since
    if (took < MEASURE_MS) return
    const rate = this.#bytes / took
    const more = rate > (this.#rate || FIRST_WAIT_BYTES / WAIT_MS)
    if (this.#since > 0 && (more || this.#waited * 2 >= took)) this.#measured(rate)
    this.#since = now
    this.#bytes = 0
    this.#waited = 0
  }

  /** Bytes of a stream while others wait. */
  share(most: number): number {
    return this.#rate < SLOW_RATE ? this.#part(most, SHARE_MS, MIN_SHARE_BYTES) : most
  }

  /** Bytes of a stream that has the link to itself. */
  frame(most: number): number {
    return this.#part(most, WAIT_MS, MIN_WAIT_BYTES)
  }

  #part(most: number, ms: number, least: number): number {
    return this.#rate === 0 ? most : Math.min(most, Math.max(least, Math.floor(this.#rate * ms)))
  }

  #measured(rate: number): void {
    this.#rate = rate
    const wait = Math.max(MIN_WAIT_BYTES, Math.floor(rate * WAIT_MS))
    const bytes = wait >= MAX_WAIT_BYTES ? 0 : wait
    const before = this.#unsent
    if (bytes === before || (bytes !== 0 && Math.abs(bytes - before) < before / 4)) return
    this.#wait(bytes)
  }

  #wait(bytes: number): void {
    if (this.#limit(bytes)) this.#unsent = bytes
  }
}
