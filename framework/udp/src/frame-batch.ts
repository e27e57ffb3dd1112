import { writeFrame } from './frames.js'

/** Sizes of a block. */
const MIN_BLOCK_BYTES = 1024
const MAX_BLOCK_BYTES = 128 * 1024

const EMPTY = Buffer.alloc(0)

/** Frames that are written as one: copies, since received datagrams are lent. */
export class FrameBatch {
  #blocks: Buffer[] = []
  #block: Buffer = EMPTY
  #end = 0
  /** Bytes of the last batch, for the size of the next block. */
  #last = 0
  bytes = 0
  /** Frames with a datagram. */
  datagrams = 0

  /** Adds a frame of `size` bytes. */
  add(session: number, datagram: Buffer | undefined, size: number): void {
    if (this.#end + size > this.#block.length) this.#grow(size)
    this.#end = writeFrame(this.#block, this.#end, session, datagram)
    this.bytes += size
    if (datagram !== undefined) this.datagrams += 1
  }

  #grow(size: number): void {
    if (this.#end > 0) this.#blocks.push(this.#block.subarray(0, this.#end))
    const likely = Math.max(MIN_BLOCK_BYTES, this.#last, this.bytes)
    this.#block = Buffer.allocUnsafe(Math.max(size, Math.min(MAX_BLOCK_BYTES, likely)))
    this.#end = 0
  }

  /** All frames. */
  take(): Buffer {
    const last = this.#block.subarray(0, this.#end)
    const frames = this.#blocks.length === 0 ? last : Buffer.concat([...this.#blocks, last])
    this.#last = this.bytes
    this.clear()
    return frames
  }

  clear(): void {
    this.#blocks = []
    this.#block = EMPTY
    this.#end = 0
    this.bytes = 0
    this.datagrams = 0
  }
}
