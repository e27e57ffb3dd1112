import type { Writable } from 'node:stream'

/** The length in front of each chunk, big endian. */
const HEAD_BYTES = 4

/** A chunk without bytes: all that it is for is to be seen by proxies. */
export const EMPTY_CHUNK = Buffer.alloc(HEAD_BYTES)

/** Writes a chunk, with its head in the same frame. */
export const writeChunk = (to: Writable, bytes: Buffer, done: () => void): void => {
  const head = Buffer.allocUnsafe(HEAD_BYTES)
  head.writeUInt32BE(bytes.length)
  to.cork()
  to.write(head)
  to.write(bytes, done)
  to.uncork()
}

/** Reads chunks, cut anywhere. */
export class ChunkReader {
  readonly #head = Buffer.alloc(HEAD_BYTES)
  #filled = 0
  #left = 0

  /** Whether the last chunk is complete. */
  get complete(): boolean {
    return this.#filled === 0 && this.#left === 0
  }

  /** Calls back with the bytes of chunks, without their heads. */
  read(bytes: Buffer, onBytes: (bytes: Buffer) => void): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#left > 0) {
        const end = Math.min(bytes.length, at + this.#left)
        this.#left -= end - at
        onBytes(bytes.subarray(at, end))
        at = end
      } else {
        const taken = bytes.copy(this.#head, this.#filled, at, at + HEAD_BYTES - this.#filled)
        this.#filled += taken
        at += taken
        if (this.#filled < HEAD_BYTES) return
        this.#filled = 0
        this.#left = this.#head.readUInt32BE()
      }
    }
  }
}
