import { HEADROOM } from '@rystra/bytes'
import type { Memory, Pin, Source } from './memory.js'

/** From this many bytes on, a slab is kept rather than copied: at most four times the memory of a copy, for no work. */
const KEEP_FROM = 64 * 1024

/** Copies are gathered in blocks of these sizes, so that frames of one byte cost no more than their bytes. */
const SMALLEST = 1024
const LARGEST = 64 * 1024

/** What a block costs besides its bytes, roughly. */
const OVERHEAD = 256

/** Taken pieces are removed from the front of the list so many at a time. */
const TRIM = 32

/** Bytes that wait for the reader of a stream. */
export interface Piece {
  readonly buffer: Buffer
  start: number
  end: number
  /** Whose memory it is: that of the link's read, or else our own. */
  readonly pin: Pin | undefined
}

/** What a stream has received and its reader has not taken yet, in order. Made when it is needed. */
export class Inbox {
  readonly #memory: Memory
  readonly #pieces: Piece[] = []
  #first = 0
  #block = SMALLEST

  constructor(memory: Memory) {
    this.#memory = memory
  }

  get empty(): boolean {
    return this.#first === this.#pieces.length
  }

  /** Keeps `source.buffer[start, end)`. */
  add(source: Source, start: number, end: number): void {
    if (end - start >= KEEP_FROM && source.lends(end - start)) {
      this.#pieces.push({ buffer: source.buffer, start, end, pin: source.pin(end) })
      return
    }
    let at = start
    const last = this.#pieces.at(-1)
    if (last !== undefined && last.pin === undefined) {
      at += source.buffer.copy(last.buffer, last.end, start, end)
      last.end += at - start
    }
    if (at === end) return
    const size = Math.max(end - at, this.#block)
    this.#block = Math.min(LARGEST, this.#block * 2)
    const buffer = Buffer.allocUnsafeSlow(HEADROOM + size)
    this.#memory.used += buffer.length + OVERHEAD
    source.buffer.copy(buffer, HEADROOM, at, end)
    this.#pieces.push({ buffer, start: HEADROOM, end: HEADROOM + end - at, pin: undefined })
  }

  /** Takes the next piece out. Who takes one with a pin releases it. */
  shift(): Piece | undefined {
    const piece = this.#pieces[this.#first]
    if (piece === undefined) return undefined
    this.#first += 1
    if (this.#first === this.#pieces.length || this.#first === TRIM) {
      this.#pieces.splice(0, this.#first)
      this.#first = 0
    }
    if (piece.pin === undefined) this.#memory.used -= piece.buffer.length + OVERHEAD
    return piece
  }

  clear(): void {
    for (let piece = this.shift(); piece !== undefined; piece = this.shift()) piece.pin?.release()
  }
}
