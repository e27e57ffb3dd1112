import type { Duplex } from 'node:stream'
import { cutOff } from './cut-off.js'
import type { RawReader, RawStream } from './raw.js'
import { resetSeen, watchHalfClosed } from './reset-seen.js'

/** The {@link RawStream} of any `Duplex`, by its events. Correct, not fast: each written chunk is copied. */
export class RawDuplex implements RawStream {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined

  readonly #stream: Duplex
  #reader: RawReader | undefined
  #paused = false
  #back: Buffer[] = []
  #ended = false
  #endReported = false
  #error: Error | undefined
  #closed = false

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('error', (error: Error) => {
      this.#error ??= error
    })
    stream.once('close', this.#onClosed)
    // Whether its event has been is not told: it is by the next turn.
    if (stream.closed) setImmediate(this.#onClosed)
    stream.on('drain', () => this.onWritable?.())
  }

  get closed(): boolean {
    return this.#closed
  }

  readonly #onClosed = (): void => {
    if (this.#closed) return
    this.#closed = true
    const { writableFinished } = this.#stream
    this.onClose?.(this.#error ?? (this.#ended && writableFinished ? undefined : new Error('cut off')))
  }

  read(reader: RawReader): void {
    const first = this.#reader === undefined
    this.#reader = reader
    this.#paused = false
    if (first) {
      if (this.#stream.readableEnded) this.#onEnd()
      this.#stream.on('end', this.#onEnd)
      this.#stream.on('data', (chunk: Buffer) => {
        this.#back.push(chunk)
        this.#flow()
      })
    }
    this.#flow()
  }

  readonly #onEnd = (): void => {
    const reset = resetSeen(this.#stream)
    if (reset !== undefined) {
      this.#stream.destroy(reset)
      return
    }
    this.#ended = true
    watchHalfClosed(this.#stream)
    this.#flow()
  }

  #flow(): void {
    while (!this.#paused && this.#reader !== undefined) {
      const bytes = this.#back.shift()
      if (bytes === undefined) break
      // The memory is the garbage collector's, so that a reader may take its time with it, or keep it.
      if (bytes.length > 0 && this.#reader.onBytes(bytes, 0, bytes.length, false) === false) this.#paused = true
    }
    if (this.#paused) this.#stream.pause()
    else if (!this.#ended) this.#stream.resume()
    else if (!this.#endReported) {
      this.#endReported = true
      this.#reader?.onEnd()
    }
  }

  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#back.unshift(bytes)
  }

  resume(): void {
    this.#paused = false
    this.#flow()
  }

  pause(): void {
    this.#paused = true
    this.#stream.pause()
  }

  write(buffer: Buffer, start: number, end: number, _shared: boolean): boolean {
    if (this.#stream.destroyed || this.#stream.writableEnded) return true
    // A Duplex may keep what it is given for as long as it likes, so it never gets borrowed memory.
    return this.#stream.write(Buffer.from(buffer.subarray(start, end)))
  }

  end(): void {
    if (!this.#stream.destroyed) this.#stream.end()
  }

  reset(): void {
    if (this.#stream.destroyed) return
    this.#error ??= new Error('reset by this side')
    this.#paused = true
    cutOff(this.#stream, this.#error)
  }
}
