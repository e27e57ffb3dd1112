import type { RawReader, RawStream, Verdict } from './raw.js'

/** Sees, and may change, each chunk of one direction. An empty answer drops the chunk; a throw resets both streams. */
export type Tap = (chunk: Buffer) => Buffer

/** What one direction passes on its way: the tap first, then the streams, in order. */
export interface Stages {
  readonly tap?: Tap | undefined
  /** Each is written to at one end and read from at the other, as a `Transform` is. */
  readonly through?: readonly RawStream[] | undefined
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
  /** Resets both streams. */
  reset(error?: Error): void
}

/** Passes bytes from one stream to the next; counts them, and nothing else. */
class Step implements RawReader {
  bytes = 0
  readonly #to: RawStream

  constructor(to: RawStream) {
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

/** A {@link Step} with a tap. */
class TappedStep extends Step {
  readonly #tap: Tap
  readonly #fail: (error: Error) => void

  constructor(to: RawStream, tap: Tap, fail: (error: Error) => void) {
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

/** Joins the streams of one direction into a chain; answers with its first step, which counts what was read. */
const chain = (from: RawStream, to: RawStream, stages: Stages | undefined, fail: (error: Error) => void): Step => {
  const path = [...(stages?.through ?? []), to]
  const [next = to] = path
  const first = stages?.tap === undefined ? new Step(next) : new TappedStep(next, stages.tap, fail)
  next.onWritable = () => from.resume()
  path.forEach((stream, index) => {
    const after = path[index + 1]
    if (after === undefined) return
    after.onWritable = () => stream.resume()
    stream.onClose = (error) => {
      if (error !== undefined) fail(error)
    }
    if (stream.closed) queueMicrotask(() => fail(new Error('a transform was closed before it was used')))
    stream.read(new Step(after))
  })
  return first
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
  const there = chain(a, b, aToB, reset)
  const back = chain(b, a, bToA, reset)
  const closed = (stream: RawStream, error?: Error): void => {
    // A stream may close within its reset: then the other is told of first.
    open.delete(stream)
    if (error !== undefined) reset(error)
    if (open.size > 0 || over) return
    over = true
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
  a.read(there)
  b.read(headOfB === undefined ? back : headOfB(back))
  return {
    get aToB() {
      return there.bytes
    },
    get bToA() {
      return back.bytes
    },
    reset
  }
}
