import { Headed, type Sink } from './headed.js'
import type { RawReader, RawStream, Verdict } from './raw.js'

/** Sees, and may change, each chunk of one direction. An empty answer drops the chunk; a throw resets both streams. */
export type Tap = (chunk: Buffer) => Buffer

/** What one direction passes on its way: the tap first, then the streams, in order. */
export interface Stages {
  readonly tap?: Tap | undefined
  /** Each is written to at one end and read from at the other, as a `Transform` is. */
  readonly through?: readonly RawStream[] | undefined
  /**
   * Sent in front of the first byte, in one write with it where that comes soon: within a turn of the event loop, or
   * within `headWait` milliseconds.
   */
  readonly head?: Buffer | undefined
  /** @default 0 */
  readonly headWait?: number | undefined
  /**
   * Called with the size of each chunk that was read, before the tap. Answers with the milliseconds to wait before it is
   * passed on and more is read, 0 to go on; a throw resets both streams.
   */
  readonly pace?: ((bytes: number) => number) | undefined
}

/** What happens in {@link pump}. */
export interface PumpOptions {
  readonly aToB?: Stages | undefined
  readonly bToA?: Stages | undefined
  /** Puts a reader in front of what is read from `b`, to take off a head that is not to be relayed. */
  readonly headOfB?: ((reader: RawReader) => RawReader) | undefined
}

/** What a pump tells when both streams are closed. `error` is absent when both closed cleanly. */
export type PumpDone = (aToB: number, bToA: number, error?: Error) => void

/** A running pump. */
export interface Pump {
  /** Bytes read from each side so far. */
  readonly aToB: number
  readonly bToA: number
  /** Whether it reads nothing for now because `pace` said so. */
  readonly paused: boolean
  /** Resets both streams. */
  reset(error?: Error): void
}

/** Passes bytes from one stream to the next; counts them, and nothing else. */
class Step implements RawReader {
  bytes = 0
  #to: Sink

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

  /** Sends elsewhere from now on. */
  redirect(to: Sink): void {
    this.#to = to
  }
}

/** The longest that a timer waits; it would go off at once for more. */
const LONGEST = 2 ** 31 - 1

/** A step in front of the first, which passes on no faster than it is told. It keeps one chunk at the most. */
class PacedStep implements RawReader {
  readonly #next: Step
  readonly #from: RawStream
  readonly #pace: (bytes: number) => number
  readonly #fail: (error: Error) => void
  #timer: NodeJS.Timeout | undefined
  #held: Buffer | undefined
  #ended = false

  constructor(next: Step, from: RawStream, pace: (bytes: number) => number, fail: (error: Error) => void) {
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
      this.#fail(error instanceof Error ? error : new Error(String(error)))
      return true
    }
    if (!(wait > 0)) return this.#next.onBytes(buffer, start, end, shared)
    const bytes = buffer.subarray(start, end)
    this.#held = shared ? Buffer.from(bytes) : bytes
    this.#timer = setTimeout(this.#pass, Math.min(wait, LONGEST))
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

/** A {@link Step} with a tap. */
class TappedStep extends Step {
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
      this.#fail(error instanceof Error ? error : new Error(String(error)))
      return true
    }
    const read = end - start
    let verdict: Verdict = true
    if (answer.length > 0) {
      // A part of the same memory is lent as the whole was; other memory is the tap's, and left alone from now on.
      const at = answer.byteOffset - buffer.byteOffset
      if (answer.buffer === buffer.buffer && at >= start && at + answer.length <= end) {
        verdict = super.onBytes(buffer, at, at + answer.length, shared)
      } else {
        // Who keeps the tap's memory keeps none of the source's.
        verdict = super.onBytes(answer, 0, answer.length, false) !== false
      }
    }
    this.bytes += read - answer.length
    return verdict
  }
}

/** One direction: what reads its source, its first step, which counts what was read, and what is to be given up at the end. */
interface Chain {
  readonly reader: RawReader
  readonly first: Step
  readonly stop: () => void
  readonly paced: PacedStep | undefined
}

/** Joins the streams of one direction. */
const chain = (from: RawStream, to: RawStream, stages: Stages | undefined, fail: (error: Error) => void): Chain => {
  const { tap, through = [], head, headWait = 0, pace } = stages ?? {}
  const headed = head === undefined ? undefined : new Headed(head, headWait, to, () => last.redirect(to))
  const sinks: Sink[] = [...through, headed ?? to]
  const [next = to] = sinks
  const first = tap === undefined ? new Step(next) : new TappedStep(next, tap, fail)
  const paced = pace === undefined ? undefined : new PacedStep(first, from, pace, fail)
  let last = first
  let before: Pick<RawStream, 'resume'> = paced ?? from
  for (const [index, stream] of through.entries()) {
    const source = before
    stream.onWritable = () => source.resume()
    stream.onClose = (error) => {
      if (error !== undefined) fail(error)
    }
    if (stream.closed) queueMicrotask(() => fail(new Error('a transform was closed before it was used')))
    last = new Step(sinks[index + 1] ?? to)
    stream.read(last)
    before = stream
  }
  to.onWritable = () => before.resume()
  const stop = (): void => {
    headed?.stop()
    paced?.stop()
  }
  return { reader: paced ?? first, first, stop, paced }
}

/**
 * Joins two streams until both are closed. Ends travel as ends, resets as resets, and a slow reader slows its writer. No
 * promise, timer or closure is made per chunk.
 */
export const pump = (a: RawStream, b: RawStream, done: PumpDone, options: PumpOptions = {}): Pump => {
  const { aToB, bToA, headOfB } = options
  const open = new Set([a, b])
  let over = false
  let failure: Error | undefined
  const reset = (error: Error = new Error('given up')): void => {
    failure ??= error
    a.reset()
    b.reset()
  }
  const { reader: readA, first: there, stop: stopThere, paced: pacedA } = chain(a, b, aToB, reset)
  const { reader: readB, first: back, stop: stopBack, paced: pacedB } = chain(b, a, bToA, reset)
  const closed = (stream: RawStream, error?: Error): void => {
    // A stream may close within its reset: then the other is told of first.
    open.delete(stream)
    if (error !== undefined) reset(error)
    if (open.size > 0 || over) return
    over = true
    stopThere()
    stopBack()
    for (const stream of [...(aToB?.through ?? []), ...(bToA?.through ?? [])]) {
      stream.onClose = undefined
      stream.reset()
    }
    done(there.bytes, back.bytes, failure)
  }
  for (const stream of [a, b]) {
    stream.onClose = (error) => closed(stream, error)
    if (stream.closed) queueMicrotask(() => closed(stream, new Error('closed before it was relayed')))
  }
  a.read(readA)
  b.read(headOfB === undefined ? readB : headOfB(readB))
  return {
    get aToB() {
      return there.bytes
    },
    get bToA() {
      return back.bytes
    },
    get paused() {
      return pacedA?.waiting === true || pacedB?.waiting === true
    },
    reset
  }
}
