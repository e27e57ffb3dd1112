import { Duplex } from 'node:stream'
import type { RawReader, RawStream } from './raw.js'

type Done = (error?: Error | null) => void

/** The way back: a `Duplex` on top of a raw stream, for those who want Node's streams after somebody read raw. */
export class RawBackedDuplex extends Duplex implements RawReader {
  readonly #raw: RawStream
  #written: Done | undefined
  #started = false

  constructor(raw: RawStream) {
    super({ allowHalfOpen: true, autoDestroy: true })
    this.#raw = raw
    raw.onWritable = () => {
      const done = this.#written
      this.#written = undefined
      done?.()
    }
    raw.onClose = (error) => {
      if (error !== undefined) this.destroy(error)
      else if (this.writableFinished && this.readableEnded) this.destroy()
    }
    if (raw.closed) this.destroy(new Error('closed before it was taken over'))
  }

  onBytes(buffer: Buffer, start: number, end: number, _shared: boolean): boolean {
    return this.push(Buffer.from(buffer.subarray(start, end)))
  }

  onEnd(): void {
    this.push(null)
  }

  override _read(): void {
    if (this.#started) this.#raw.resume()
    else {
      this.#started = true
      this.#raw.read(this)
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#raw.write(chunk, 0, chunk.length, false)) done()
    else this.#written = done
  }

  override _final(done: Done): void {
    this.#raw.end()
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    if (error !== null || !this.writableFinished || !this.readableEnded) this.#raw.reset()
    done(error)
  }
}

/** A `Duplex` face for a raw stream. It takes the raw stream over. */
export const duplexOf = (raw: RawStream): Duplex => new RawBackedDuplex(raw)
