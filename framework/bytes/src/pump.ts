import type { RawReader, RawStream, Verdict } from './raw.js'

/** One direction of a relay. Counts what passes; the rest is between source and sink. */
class Half implements RawReader {
  bytes = 0
  ended = false
  readonly #to: RawStream

  constructor(to: RawStream) {
    this.#to = to
  }

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    this.bytes += end - start
    return this.#to.write(buffer, start, end, shared)
  }

  onEnd(): void {
    this.ended = true
    this.#to.end()
  }
}

/** What a pump tells when both streams are closed. `error` is absent when both closed cleanly. */
export type PumpDone = (aToB: number, bToA: number, error?: Error) => void

/** A running pump. */
export interface Pump {
  /** Bytes so far. */
  readonly aToB: number
  readonly bToA: number
  /** Resets both streams. */
  reset(error?: Error): void
}

/**
 * Joins two streams until both are closed. Ends travel as ends, resets as resets, and a slow reader slows its writer; no
 * promise, timer or closure is made per chunk.
 */
export const pump = (a: RawStream, b: RawStream, done: PumpDone): Pump => {
  const aToB = new Half(b)
  const bToA = new Half(a)
  let open = 2
  let failure: Error | undefined
  const closed = (other: RawStream) => (error?: Error) => {
    open -= 1
    if (error !== undefined) {
      failure ??= error
      other.reset()
    }
    if (open === 0) done(aToB.bytes, bToA.bytes, failure)
  }
  a.onClose = closed(b)
  b.onClose = closed(a)
  for (const stream of [a, b]) {
    if (stream.closed) queueMicrotask(() => stream.onClose?.(new Error('closed before it was relayed')))
  }
  a.onWritable = () => b.resume()
  b.onWritable = () => a.resume()
  a.read(aToB)
  b.read(bToA)
  return {
    get aToB() {
      return aToB.bytes
    },
    get bToA() {
      return bToA.bytes
    },
    reset(error = new Error('given up')) {
      failure ??= error
      a.reset()
      b.reset()
    }
  }
}
