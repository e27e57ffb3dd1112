import { HEADROOM, SLAB_SIZE } from '@rystra/bytes'
import type { Memory, Pin, Source } from './memory.js'

/** Size from which a slab is pinned instead of copied: at most four times the memory of a copy, without work. */
const PIN_FROM_BYTES = SLAB_SIZE / 4

/** Block sizes for copies, so that frames of one byte cost no more than their bytes. */
const MIN_BLOCK_BYTES = 1024
const MAX_BLOCK_BYTES = 64 * 1024

/** Approximate memory overhead of a block. */
const OVERHEAD_BYTES = 256

/** Consumed pieces after which the list is trimmed. */
const TRIM_AFTER = 32

/** Unread bytes of a stream. */
export interface Piece {
  readonly buffer: Buffer
  start: number
  end: number
  /** The pinned memory of the link's read, or own memory. */
  readonly pin: Pin | undefined
}

/** Received data of a stream that its reader has not consumed, in order. Created on demand. */
export class Inbox {
  readonly #memory: Memory
  readonly #pieces: Piece[] = []
  #first = 0
  #block = MIN_BLOCK_BYTES

  constructor(memory: Memory) {
    this.#memory = memory
  }

  get empty(): boolean {
    return this.#first === this.#pieces.length
  }

  /** Views of all pieces. */
  pieces(): Buffer[] {
    return this.#pieces.slice(this.#first).map(({ buffer, start, end }) => buffer.subarray(start, end))
  }

  /** Stores `source.buffer[start, end)`. */
  add(source: Source, start: number, end: number): void {
    if (end - start >= PIN_FROM_BYTES && source.lends(end - start)) {
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
    this.#block = Math.min(MAX_BLOCK_BYTES, this.#block * 2)
    const buffer = Buffer.allocUnsafeSlow(HEADROOM + size)
    this.#memory.used += buffer.length + OVERHEAD_BYTES
    source.buffer.copy(buffer, HEADROOM, at, end)
    this.#pieces.push({ buffer, start: HEADROOM, end: HEADROOM + end - at, pin: undefined })
  }

  /** Removes the next piece. The caller releases its pin. */
  shift(): Piece | undefined {
    const piece = this.#pieces[this.#first]
    if (piece === undefined) return undefined
    this.#first += 1
    if (this.#first === this.#pieces.length || this.#first === TRIM_AFTER) {
      this.#pieces.splice(0, this.#first)
      this.#first = 0
    }
    if (piece.pin === undefined) this.#memory.used -= piece.buffer.length + OVERHEAD_BYTES
    return piece
  }

  clear(): void {
    for (let piece = this.shift(); piece !== undefined; piece = this.shift()) piece.pin?.release()
  }
}
