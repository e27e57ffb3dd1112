import { type HasRaw, type RawReader, type RawStream, raw } from '@rystra/bytes'
import { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

/** What Node's own queues may hold in each direction, in bytes, besides the window. */
const HIGH_WATER = 64 * 1024

const duplexOptions = { allowHalfOpen: true, autoDestroy: true, highWaterMark: HIGH_WATER }

/** The stream under the `Duplex`. */
export interface Underlying extends RawStream {
  readonly id: number
  readonly reader: RawReader | undefined
}

/** A stream as a Node `Duplex`, on which any library works. It costs nothing while only the raw stream is used. */
export class QuicDuplex extends Duplex implements HasRaw, RawReader {
  readonly stream: Underlying
  #given = false
  #written: Done | undefined
  #idle: NodeJS.Timeout | undefined

  constructor(stream: Underlying) {
    super(duplexOptions)
    this.stream = stream
  }

  get [raw](): RawStream {
    return this.stream
  }

  // Reading

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    this.#idle?.refresh()
    const bytes = buffer.subarray(start, end)
    return this.push(shared ? Buffer.from(bytes) : bytes)
  }

  onEnd(): void {
    this.push(null)
  }

  override _read(): void {
    if (this.#given) return
    if (this.stream.reader === undefined) this.stream.read(this)
    else if (this.stream.reader === this) this.stream.resume()
  }

  /** Somebody reads the raw stream from now on: takes what lies in Node's queue out of it. */
  giveBack(): Buffer {
    this.#given = true
    this.stream.pause()
    const chunks: Buffer[] = []
    for (let chunk = this.read(); chunk !== null; chunk = this.read()) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  // Writing

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#idle?.refresh()
    if (this.stream.write(chunk, 0, chunk.length, false)) done()
    else this.#written = done
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#idle?.refresh()
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

  // The end

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.#idle)
    this.#idle = undefined
    // After both ends the stream closes by itself, when its last byte is taken.
    if (!this.writableFinished || !this.readableEnded) this.stream.reset()
    done(error)
  }

  /** The stream is over. */
  over(error: Error | undefined): void {
    if (this.destroyed) return
    if (error !== undefined) {
      // A stranger's reset must not end the process because nobody listens yet.
      if (this.listenerCount('error') > 0) this.destroy(error)
      else this.destroy()
    } else if (this.stream.reader !== this) this.destroy()
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
