import { type HasRaw, type RawStream, raw } from '@rystra/bytes'
import { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

/** A WebSocket as a Node `Duplex`, half-open allowed. It costs nothing while only the raw stream is used. */
export class WsDuplex extends Duplex implements HasRaw {
  readonly #stream: RawStream
  #reading = false
  #given = false
  #written: Done | undefined

  constructor(stream: RawStream) {
    super({ allowHalfOpen: true, autoDestroy: true })
    this.#stream = stream
  }

  get [raw](): RawStream {
    return this.#stream
  }

  onBytes(buffer: Buffer, start: number, end: number, _shared: boolean): boolean {
    // Whoever reads a `Duplex` may keep what it gets.
    return this.push(Buffer.from(buffer.subarray(start, end)))
  }

  onEnd(): void {
    this.push(null)
  }

  override _read(): void {
    if (this.#given) return
    if (this.#reading) this.#stream.resume()
    else {
      this.#reading = true
      this.#stream.read(this)
    }
  }

  /** Somebody reads the raw stream from now on: takes what lies in Node's queue out of it. */
  giveBack(): Buffer {
    this.#given = true
    const chunks: Buffer[] = []
    for (let chunk = this.read(); chunk !== null; chunk = this.read()) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  // What is written is copied where it has to wait, so that who goes on with the raw stream comes after it.

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#stream.write(chunk, 0, chunk.length, true)) done()
    else this.#written = done
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    let through = true
    for (const { chunk } of chunks) through = this.#stream.write(chunk, 0, chunk.length, true)
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
    this.#stream.end()
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    // After both ends it closes by itself, when all is sent.
    if (!this.writableFinished || !this.readableEnded) this.#stream.reset()
    done(error)
  }

  /** The stream is over. After a good end who reads this one may still have bytes of it to read. */
  over(error: Error | undefined, reading: boolean): void {
    if (this.destroyed) return
    // A stranger's reset must not end the process because nobody listens yet.
    if (error !== undefined && this.listenerCount('error') > 0) this.destroy(error)
    else if (error !== undefined || !reading) this.destroy()
  }
}
