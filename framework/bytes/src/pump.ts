import type { RawStream } from './raw.js'
import { Step } from './step.js'

/** What a pump tells when both streams are closed. `error` is absent when both closed cleanly. */
export type PumpDone = (aToB: number, bToA: number, error?: Error) => void

/** Two streams that are being joined. */
export interface Pump {
  /** Bytes read from each side so far. */
  readonly aToB: number
  readonly bToA: number
  /** Whether it reads nothing for now although there is something to read and room for it, to keep a pace say. */
  readonly paused: boolean
  /** Resets both streams. */
  reset(error?: Error): void
}

/**
 * Joins two streams until both are closed. Ends travel as ends, resets as resets, and a slow reader slows its writer. No
 * promise, timer or closure is made per chunk.
 */
export const pump = (a: RawStream, b: RawStream, done: PumpDone): Pump => new Joined(a, b, done)

class Joined implements Pump {
  readonly paused = false
  readonly #a: RawStream
  readonly #b: RawStream
  readonly #done: PumpDone
  readonly #there: Step
  readonly #back: Step
  #open = 2
  #over = false
  #failure: Error | undefined

  constructor(a: RawStream, b: RawStream, done: PumpDone) {
    this.#a = a
    this.#b = b
    this.#done = done
    this.#there = new Step(b)
    this.#back = new Step(a)
    a.onWritable = () => b.resume()
    b.onWritable = () => a.resume()
    this.#watch(a)
    this.#watch(b)
    a.read(this.#there)
    b.read(this.#back)
  }

  get aToB(): number {
    return this.#there.bytes
  }

  get bToA(): number {
    return this.#back.bytes
  }

  #watch(stream: RawStream): void {
    let open = true
    const closed = (error?: Error): void => {
      // A stream may close within its reset: the other one is counted first then.
      if (!open) return
      open = false
      this.#open -= 1
      if (error !== undefined) this.reset(error)
      if (this.#open > 0 || this.#over) return
      this.#over = true
      this.#done(this.aToB, this.bToA, this.#failure)
    }
    stream.onClose = closed
    if (stream.closed) queueMicrotask(() => closed(new Error('closed before it was relayed')))
  }

  reset(error: Error = new Error('given up')): void {
    this.#failure ??= error
    this.#a.reset()
    this.#b.reset()
  }
}
