import { type HasRaw, type RawReader, type RawStream, raw } from '@rystra/bytes'
import { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

/** What Node's own queues may hold in each direction, in bytes, besides the window. */
const HIGH_WATER = 64 * 1024

/** A chunk that is a smaller part of the memory it keeps than this is copied. */
const SHARE = 1 / 4

/** A stream as a Node `Duplex`, on which any library works. It costs little while only the raw stream is used. */
export class Http2Duplex extends Duplex implements HasRaw, RawReader {
  readonly #stream: RawStream
  #started = false
  #given = false
  #written: Done | undefined
  #idle: NodeJS.Timeout | undefined

  constructor(stream: RawStream) {
    super({ allowHalfOpen: true, autoDestroy: true, highWaterMark: HIGH_WATER })
    this.#stream = stream
  }

  get [raw](): RawStream {
    return this.#stream
  }

  // Reading

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    this.#idle?.refresh()
    const bytes = buffer.subarray(start, end)
    const copied = shared || bytes.length < bytes.buffer.byteLength * SHARE
    return this.push(copied ? Buffer.from(bytes) : bytes)
  }

  onEnd(): void {
    this.push(null)
  }

  override _read(): void {
    if (this.#given) return
    if (this.#started) this.#stream.resume()
    else {
      this.#started = true
      this.#stream.read(this)
    }
  }

  /** Somebody reads the raw stream from now on: takes what lies in Node's queue out of it. */
  giveBack(): Buffer {
    this.#given = true
    const chunks: Buffer[] = []
    for (let chunk: unknown = this.read(); chunk !== null; chunk = this.read()) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  // Writing

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#idle?.refresh()
    if (this.#stream.write(chunk, 0, chunk.length, false)) done()
    else this.#written = done
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#idle?.refresh()
    let through = true
    for (const { chunk } of chunks) through = this.#stream.write(chunk, 0, chunk.length, false) && through
    if (through) done()
    else this.#written = done
  }

  /** What was written is through. */
  written(): void {
    const done = this.#written
    this.#written = undefined
    done?.()
  }

  override _final(done: Done): void {
    this.#stream.end()
    done()
  }

  // The end

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.#idle)
    this.#idle = undefined
    // After both ends the stream closes by itself, when its last frame is sent.
    if (!this.writableFinished || !this.readableEnded) this.#stream.reset()
    done(error)
  }

  /** The stream is over. */
  over(error: Error | undefined, reading: boolean): void {
    if (this.destroyed) return
    if (error !== undefined) {
      // A stranger's reset must not end the process because nobody listens yet.
      if (this.listenerCount('error') > 0) this.destroy(error)
      else this.destroy()
    } else if (!reading) this.destroy()
  }

  // What HTTP agents and other users of sockets call

  /** Emits `timeout` after so many milliseconds without a byte, as `net.Socket` does. 0 never does. */
  setTimeout(ms: number, listener?: () => void): this {
    clearTimeout(this.#idle)
    this.#idle = ms === 0 ? undefined : setTimeout(() => this.emit('timeout'), ms).unref()
    if (listener !== undefined) {
      if (ms === 0) this.off('timeout', listener)
      else this.once('timeout', listener)
    }
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}
