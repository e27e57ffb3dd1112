import { performance } from 'node:perf_hooks'
import { INITIAL_WINDOW } from './frame.js'
import type { Memory } from './memory.js'

/** Round trips in which a window passes that may have limited its sender: room for twice that, and for halves that arrive unevenly. */
const GROW_BELOW = 4

/** Round trips in which a window passes that is larger than it need be. Its bytes wait in front of those of other streams. */
const SHRINK_ABOVE = 16

/** The window of a receiving stream, in bytes: as large as its speed takes. */
export class ReceiveWindow {
  bytes = INITIAL_WINDOW
  /** When the last grant was, and the one before it. */
  #last = Number.NEGATIVE_INFINITY
  #before = Number.NEGATIVE_INFINITY

  /** Data arrives for the first time. */
  begin(): void {
    if (this.#last < 0) this.#last = performance.now()
  }

  /**
   * Half a window is about to be granted. Answers with the bytes to grant more, or less.
   *
   * Both halves of the last window count: one alone also passes fast when it has waited in the buffers of a process that did
   * something else, and windows of bulk streams would grow with each such moment.
   *
   * @param roundTrip in milliseconds
   */
  adapt(now: number, roundTrip: number, max: number, memory: Memory): number {
    const took = now - this.#before
    this.#before = this.#last
    this.#last = now
    if (took < GROW_BELOW * roundTrip) {
      const more = Math.min(this.bytes, max - this.bytes)
      if (more <= 0 || !memory.grow(more)) return 0
      this.bytes += more
      return more
    }
    // As TCP does with its own after a pause, so that a stream which is busy again grows anew.
    if (took > SHRINK_ABOVE * roundTrip && this.bytes > INITIAL_WINDOW) {
      const less = Math.min(this.bytes >>> 1, this.bytes - INITIAL_WINDOW)
      this.bytes -= less
      memory.shrink(less)
      return -less
    }
    return 0
  }

  /** Back to the initial size. */
  reset(memory: Memory): void {
    memory.shrink(this.bytes - INITIAL_WINDOW)
    this.bytes = INITIAL_WINDOW
  }
}
