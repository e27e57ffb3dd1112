/** The beginning of a body, as it was on the wire, and its true length. */
export class Body {
  readonly #max: number
  readonly #chunks: Buffer[] = []
  #kept = 0
  /** Bytes of the whole body. */
  length = 0

  constructor(max: number) {
    this.#max = max
  }

  /** Bytes that are kept. */
  get kept(): number {
    return this.#kept
  }

  get truncated(): boolean {
    return this.#kept < this.length
  }

  /** Returns how many bytes of it are kept. */
  add(chunk: Uint8Array): number {
    const room = Math.min(chunk.length, this.#max - this.#kept)
    this.length += chunk.length
    if (room <= 0) return 0
    // A copy: the memory is that of the one who reads.
    this.#chunks.push(Buffer.from(chunk.subarray(0, room)))
    this.#kept += room
    return room
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}
