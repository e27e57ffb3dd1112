import { type HasRaw, type RawStream, raw } from '@rystra/bytes'
import { Duplex } from 'node:stream'
import type { PacedReader, Receiving } from './receiving.js'

type Done = (error?: Error | null) => void

/** What Node's own queues may hold in each direction, in bytes, besides the window. */
const HIGH_WATER = 64 * 1024

const duplexOptions = { allowHalfOpen: true, autoDestroy: true, highWaterMark: HIGH_WATER }

/** The stream under the `Duplex`. */
export interface Underlying extends RawStream {
  readonly id: number
  readonly receiving: Receiving
}

/** A stream as a Node `Duplex`, on which any library works. It costs nothing while only the raw stream is used. */
export class YamuxDuplex extends Duplex implements HasRaw, PacedReader {
  readonly paced = true
  readonly stream: Underlying
  /** Bytes pushed into Node's queue, and how many of them were reported as read. */
  #pushed = 0
  #settled = 0
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

  // Reading. Credit is given for what has left Node's queue, not for what has entered it.

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    this.#idle?.refresh()
    this.#pushed += end - start
    const bytes = buffer.subarray(start, end)
    const more = this.push(shared ? Buffer.from(bytes) : bytes)
    this.#settle()
    return more
  }

  onEnd(): void {
    this.push(null)
  }

  override _read(): void {
    const { receiving } = this.stream
    if (this.#given) return
    if (receiving.reader === undefined) this.stream.read(this)
    else if (receiving.reader === this) receiving.resume()
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

  /** Somebody reads the raw stream from now on: takes what lies in Node's queue out of it. */
  giveBack(): Buffer {
    this.#given = true
    this.stream.receiving.pause()
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
    for (const { chunk } of chunks) through = this.stream.write(chunk, 0, chunk.length, false)
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
    // After both ends the stream closes by itself, when its last frame is sent.
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
    } else if (this.stream.receiving.reader !== this) this.destroy()
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
