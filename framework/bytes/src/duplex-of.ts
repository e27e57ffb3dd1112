import type { Duplex } from 'node:stream'
import type { RawReader, RawStream } from './raw.js'
import { SocketFace } from './socket-face.js'

type Done = (error?: Error | null) => void

/** What Node's own queues may hold in each direction, in bytes, besides what the raw stream holds. */
const HIGH_WATER = 64 * 1024

const duplexOptions = { allowHalfOpen: true, autoDestroy: true, highWaterMark: HIGH_WATER }

/** A `Duplex` on top of a raw stream. Its creator calls {@link written} from the stream's `onWritable`. */
export class RawBackedDuplex<Stream extends RawStream = RawStream> extends SocketFace implements RawReader {
  readonly stream: Stream
  #started = false
  #written: Done | undefined

  constructor(stream: Stream) {
    super(duplexOptions)
    this.stream = stream
  }

  /** Whether it has begun to read. */
  protected get started(): boolean {
    return this.#started
  }

  onBytes(buffer: Buffer, start: number, end: number, _shared: boolean): boolean {
    // A reader of a `Duplex` may keep its chunks.
    return this.push(Buffer.from(buffer.subarray(start, end)))
  }

  onEnd(): void {
    this.push(null)
  }

  override _read(): void {
    if (this.#started) this.stream.resume()
    else {
      this.#started = true
      this.stream.read(this)
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.wrote()
    if (this.stream.write(chunk, 0, chunk.length, false)) done()
    else this.#written = done
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.wrote()
    let through = true
    for (const { chunk } of chunks) through = this.stream.write(chunk, 0, chunk.length, false) && through
    if (through) done()
    else this.#written = done
  }

  /** A write that did not get through at once has. */
  written(): void {
    const done = this.#written
    this.#written = undefined
    done?.()
  }

  override _final(done: Done): void {
    this.stream.end()
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    // After both ends the stream closes by itself, when all is sent.
    if (!this.writableFinished || !this.readableEnded) this.stream.reset()
    super._destroy(error, done)
  }
}

/** A `Duplex` over a raw stream that may have been read already. It takes the raw stream over. */
export const duplexOf = (raw: RawStream): Duplex => {
  const duplex = new RawBackedDuplex(raw)
  raw.onWritable = () => duplex.written()
  raw.onClose = (error) => {
    if (error !== undefined) duplex.destroy(error)
    else if (duplex.writableFinished && duplex.readableEnded) duplex.destroy()
  }
  if (raw.closed) duplex.destroy(new Error('closed before it was taken over'))
  return duplex
}
