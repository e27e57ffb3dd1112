import { CountedStream } from './counted-stream.js'
import { type Filters, Lane } from './lane.js'
import type { RawReader, RawStream, Verdict } from './raw.js'
import type { Sink } from './step.js'

/** Filters of both directions, as its user sees them. */
export interface StreamFilters {
  readonly write?: Filters | undefined
  readonly read?: Filters | undefined
}

/** The end of a lane that is read: holds what comes while its reader wants nothing. */
class Outlet implements Sink {
  onEnded: (() => void) | undefined
  ended = false
  readonly #resume: () => void
  #reader: RawReader | undefined
  #paused = false
  #back: Buffer[] = []
  #endCame = false

  constructor(resume: () => void) {
    this.#resume = resume
  }

  start(reader: RawReader): void {
    this.#reader = reader
  }

  read(reader: RawReader): void {
    this.#reader = reader
    this.resume()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    while (!this.#paused) {
      const bytes = this.#back.shift()
      if (bytes === undefined) break
      if (this.#reader?.onBytes(bytes, 0, bytes.length, false) === false) this.#paused = true
    }
    if (this.#paused) return
    if (this.#endCame) this.#tellEnd()
    else this.#resume()
  }

  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#back.unshift(bytes)
  }

  write(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    if (this.#paused || this.#back.length > 0) {
      this.#back.push(Buffer.from(buffer.subarray(start, end)))
      return false
    }
    const verdict = (this.#reader as RawReader).onBytes(buffer, start, end, shared)
    if (verdict === false) this.#paused = true
    return verdict
  }

  end(): void {
    this.#endCame = true
    if (!this.#paused && this.#back.length === 0) this.#tellEnd()
  }

  #tellEnd(): void {
    if (this.ended) return
    this.ended = true
    this.#reader?.onEnd()
    this.onEnded?.()
  }
}

/** A raw stream with filters in its path. */
export class FilteredStream extends CountedStream {
  readonly #out: Lane
  readonly #in: Lane
  readonly #outlet = new Outlet(() => this.#in.resume())
  #reading = false

  constructor(inner: RawStream, { write = {}, read = {} }: StreamFilters) {
    super(inner)
    const fail = (error: Error): void => this.fail(error)
    const out: Sink = {
      write: (buffer, start, end, shared) => super.write(buffer, start, end, shared),
      end: () => super.end()
    }
    this.#out = new Lane(write, { resume: () => this.writable() }, out, fail)
    this.#in = new Lane(read, inner, this.#outlet, fail)
  }

  override get written(): number {
    return this.#out.bytes
  }

  override get received(): number {
    return this.#in.bytes
  }

  override get paused(): boolean {
    return this.#out.paused || this.#in.paused
  }

  /** Its descriptor would go past the filters. */
  override get detach(): undefined {
    return undefined
  }

  override get offload(): undefined {
    return undefined
  }

  override write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    return this.#out.reader.onBytes(buffer, start, end, shared) as boolean
  }

  override end(): void {
    this.#out.reader.onEnd()
  }

  override read(reader: RawReader): void {
    this.claim(reader)
    if (this.#reading) {
      this.#outlet.read(reader)
      return
    }
    this.#reading = true
    this.#outlet.start(reader)
    this.inner.read(this.#in.reader)
  }

  override unread(bytes: Buffer): void {
    this.#outlet.unread(bytes)
  }

  override resume(): void {
    this.#outlet.resume()
  }

  override pause(): void {
    this.#outlet.pause()
  }

  protected override innerWritable(): void {
    this.#out.resume()
  }

  protected override innerClosed(error: Error | undefined): void {
    // After a clean end a transform may still hold bytes of it.
    if (error !== undefined || this.#outlet.ended) this.over(error)
    else this.#outlet.onEnded = () => this.over(undefined)
  }

  protected override over(error: Error | undefined): void {
    if (this.closed) return
    this.#out.stop()
    this.#in.stop()
    super.over(error)
  }
}
