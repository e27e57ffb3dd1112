import type { RawReader, Verdict } from './raw.js'

/** What a step writes to. */
export interface Sink {
  write(buffer: Buffer, start: number, end: number, shared: boolean): Verdict
  end(): void
}

/** What a step is fed by. */
export interface Source {
  resume(): void
}

/** Sees, and may change, each chunk of one direction. An empty answer drops the chunk; a throw resets the stream. */
export type Tap = (chunk: Buffer) => Buffer

/** Passes bytes on, and counts them. */
export class Step implements RawReader {
  bytes = 0
  readonly #to: Sink

  constructor(to: Sink) {
    this.#to = to
  }

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    this.bytes += end - start
    return this.#to.write(buffer, start, end, shared)
  }

  onEnd(): void {
    this.#to.end()
  }
}

const errorOf = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

/** A {@link Step} with a tap. */
export class TappedStep extends Step {
  readonly #tap: Tap
  readonly #fail: (error: Error) => void

  constructor(to: Sink, tap: Tap, fail: (error: Error) => void) {
    super(to)
    this.#tap = tap
    this.#fail = fail
  }

  override onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    let answer: Buffer
    try {
      answer = this.#tap(buffer.subarray(start, end))
      if (!(answer instanceof Uint8Array)) throw new TypeError('a tap has to answer with a Buffer')
    } catch (error) {
      this.#fail(errorOf(error))
      return true
    }
    const read = end - start
    let verdict: Verdict = true
    if (answer.length > 0) {
      // A part of the same memory is lent as the whole was; other memory belongs to the tap, which leaves it alone.
      const at = answer.byteOffset - buffer.byteOffset
      if (answer.buffer === buffer.buffer && at >= start && at + answer.length <= end) {
        verdict = super.onBytes(buffer, at, at + answer.length, shared)
      } else {
        // A sink that keeps the tap's memory keeps none of the source's.
        verdict = super.onBytes(answer, 0, answer.length, false) !== false
      }
    }
    this.bytes += read - answer.length
    return verdict
  }
}

/** The longest that a timer waits; Node fires at once for more. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** A step in front of another, which passes on no faster than `pace` allows. It keeps one chunk at the most. */
export class PacedStep implements RawReader {
  readonly #next: RawReader
  readonly #from: Source
  readonly #pace: (bytes: number) => number
  readonly #fail: (error: Error) => void
  #timer: NodeJS.Timeout | undefined
  #held: Buffer | undefined
  #ended = false

  constructor(next: RawReader, from: Source, pace: (bytes: number) => number, fail: (error: Error) => void) {
    this.#next = next
    this.#from = from
    this.#pace = pace
    this.#fail = fail
  }

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    let wait: number
    try {
      wait = this.#pace(end - start)
    } catch (error) {
      this.#fail(errorOf(error))
      return true
    }
    if (!(wait > 0)) return this.#next.onBytes(buffer, start, end, shared)
    const bytes = buffer.subarray(start, end)
    this.#held = shared ? Buffer.from(bytes) : bytes
    this.#timer = setTimeout(this.#pass, Math.min(wait, MAX_TIMER_MS))
    return false
  }

  readonly #pass = (): void => {
    const held = this.#held as Buffer
    this.#timer = undefined
    this.#held = undefined
    // The source has its memory back with `resume`, so the next step may keep none of it.
    const full = this.#next.onBytes(held, 0, held.length, true) === false
    if (this.#ended) this.#next.onEnd()
    else if (!full) this.#from.resume()
  }

  onEnd(): void {
    if (this.waiting) this.#ended = true
    else this.#next.onEnd()
  }

  /** The sink takes more: not before the wait is over. */
  resume(): void {
    if (!this.waiting) this.#from.resume()
  }

  get waiting(): boolean {
    return this.#timer !== undefined
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#held = undefined
  }
}
