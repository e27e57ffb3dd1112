import { RawBackedDuplex } from './duplex-of.js'
import { type HasRaw, type RawReader, type RawStream, raw } from './raw.js'

/** A chunk that is a smaller part of the memory it keeps than this is copied. */
const SHARE = 1 / 4

/** A raw stream that tells who reads it. */
export interface FacedStream extends RawStream {
  readonly reader: RawReader | undefined
}

/** How a raw stream treats its {@link RawFace}. */
export interface RawFaceOptions {
  /** Whether memory that is not shared is left alone once it is handed on, so that it need not be copied. @default false */
  readonly givesMemory?: boolean
}

/**
 * The `Duplex` face that a raw stream brings along, on which any library works. It costs next to nothing while only the raw
 * stream is used. The stream tells it what happens: {@link written} where it has no `onWritable`, {@link over} before its
 * `onClose`, and {@link giveBack} when another reader takes over from this face.
 */
export class RawFace<Stream extends FacedStream = FacedStream> extends RawBackedDuplex<Stream> implements HasRaw {
  readonly #givesMemory: boolean
  #given = false

  constructor(stream: Stream, { givesMemory = false }: RawFaceOptions = {}) {
    super(stream)
    this.#givesMemory = givesMemory
  }

  get [raw](): RawStream {
    return this.stream
  }

  override onBytes(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    const kept = this.#givesMemory && !shared && end - start >= buffer.buffer.byteLength * SHARE
    return kept ? this.push(buffer.subarray(start, end)) : super.onBytes(buffer, start, end, shared)
  }

  override _read(): void {
    const { reader } = this.stream
    if (!this.#given && (reader === undefined || reader === this)) super._read()
  }

  /** The raw stream is read from now on: empties Node's queue and answers with its bytes. */
  giveBack(): Buffer {
    this.#given = true
    const chunks: Buffer[] = []
    for (let chunk: unknown = this.read(); chunk !== null; chunk = this.read()) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  /** The stream is over. After a clean end the reader of this face may still have bytes to read. */
  over(error: Error | undefined): void {
    if (this.destroyed) return
    // A peer's reset must not end the process while there is no `error` listener.
    if (error !== undefined && this.listenerCount('error') > 0) this.destroy(error)
    else if (error !== undefined || !this.started || this.#given) this.destroy()
  }
}
