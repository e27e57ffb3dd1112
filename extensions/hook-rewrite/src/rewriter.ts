import type { Clock } from '@rystra/plugin'
import { Transform, type TransformCallback } from 'node:stream'
import { type Needle, Search } from './search.js'

/** Output bytes and pieces after which back-pressure is checked: a short needle may grow its input. */
const MAX_OUTPUT_BYTES = 65_536
const MAX_OUTPUT_PIECES = 4096

/** Options of a {@link Rewriter}. */
export interface RewriterOptions {
  readonly needle: Needle
  readonly replacement: Buffer
  /** Milliseconds that the beginning of a match is held back; 0 until the end. */
  readonly hold: number
  readonly clock: Clock
}

/**
 * Replaces bytes in a stream, across chunk borders. Holds back less than a needle, and produces no more than is read.
 */
export class Rewriter extends Transform {
  readonly #search: Search
  readonly #hold: number
  readonly #clock: Clock
  #cancelHold: (() => void) | undefined
  /** Continues with a chunk whose output exceeded the demand. */
  #more: (() => void) | undefined

  constructor({ needle, replacement, hold, clock }: RewriterOptions) {
    super({ highWaterMark: MAX_OUTPUT_BYTES })
    this.#search = new Search(needle, replacement)
    this.#hold = hold
    this.#clock = clock
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#cancelHold?.()
    this.#cancelHold = undefined
    this.#goThrough(chunk, 0, done)
  }

  #goThrough(chunk: Buffer, from: number, done: TransformCallback): void {
    for (let at = from; ; ) {
      const pieces: Buffer[] = []
      let bytes = 0
      at = this.#search.run(chunk, at, (piece) => {
        if (piece.length > 0) pieces.push(piece)
        bytes += piece.length
        return bytes < MAX_OUTPUT_BYTES && pieces.length < MAX_OUTPUT_PIECES
      })
      const wanted = bytes === 0 || this.push(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, bytes))
      if (at === chunk.length) break
      if (wanted) continue
      this.#more = () => this.#goThrough(chunk, at, done)
      return
    }
    if (this.#search.held > 0 && this.#hold > 0) this.#waitForMore()
    done()
  }

  /**
   * Releases the held-back bytes after the hold. Not while output waits to be read: then back-pressure keeps the next
   * chunk away; nor when the timer is late, as the chunk may be due as well.
   */
  #waitForMore(): void {
    const due = this.#clock.now() + this.#hold
    this.#cancelHold = this.#clock.after(this.#hold, () => {
      const isLate = this.#clock.now() - due > this.#hold / 4
      if (isLate || this.readableLength > 0 || this.readableFlowing === false) this.#waitForMore()
      else this.push(this.#search.release())
    })
  }

  override _read(size: number): void {
    const more = this.#more
    this.#more = undefined
    if (more === undefined) super._read(size)
    else more()
  }

  override _flush(done: TransformCallback): void {
    this.#cancelHold?.()
    const rest = this.#search.release()
    done(null, rest.length > 0 ? rest : undefined)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#cancelHold?.()
    this.#more = undefined
    done(error)
  }
}
