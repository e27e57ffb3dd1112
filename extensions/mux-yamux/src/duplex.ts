import { type FacedStream, RawFace } from '@rystra/bytes'
import type { PacedReader, Receiving } from './receiving.js'

/** The stream below the `Duplex`. */
export interface Underlying extends FacedStream {
  readonly id: number
  readonly receiving: Receiving
}

/**
 * The `Duplex` of a stream. Credit is granted for data that has left Node's queue, not for data that has entered it.
 */
export class YamuxDuplex extends RawFace<Underlying> implements PacedReader {
  readonly paced = true
  /** Bytes pushed into Node's queue, and those reported as consumed. */
  #pushed = 0
  #settled = 0

  constructor(stream: Underlying) {
    super(stream, { givesMemory: true })
  }

  override onBytes(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    this.#pushed += end - start
    const more = super.onBytes(buffer, start, end, shared)
    this.#settle()
    return more
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    this.#settle()
    return chunk
  }

  #settle(): void {
    const read = this.#pushed - this.readableLength - this.#settled
    if (read <= 0) return
    this.#settled += read
    this.stream.receiving.consumed(read)
  }
}
