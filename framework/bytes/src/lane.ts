import type { RawReader, RawStream } from './raw.js'
import { PacedStep, type Sink, type Source, Step, type Tap, TappedStep } from './step.js'

/** What the bytes of one direction pass: the pace, the tap, then the streams, in order. */
export interface Filters {
  readonly tap?: Tap | undefined
  /** Each is written to at one end and read from at the other, as a `Transform` is. */
  readonly through?: readonly RawStream[] | undefined
  /**
   * Called with the size of each chunk, before the tap. Answers with the milliseconds to wait before it is passed on and
   * more is taken, 0 to go on; a throw resets the stream.
   */
  readonly pace?: ((bytes: number) => number) | undefined
}

/** The filters of one direction, joined between a source and a sink. */
export class Lane {
  /** Takes what enters. */
  readonly reader: RawReader
  readonly #first: Step
  readonly #paced: PacedStep | undefined
  readonly #through: readonly RawStream[]
  readonly #last: Source

  constructor({ tap, through = [], pace }: Filters, from: Source, to: Sink, fail: (error: Error) => void) {
    const sinks: readonly Sink[] = [...through, to]
    const [next = to] = sinks
    this.#first = tap === undefined ? new Step(next) : new TappedStep(next, tap, fail)
    this.#paced = pace === undefined ? undefined : new PacedStep(this.#first, from, pace, fail)
    this.reader = this.#paced ?? this.#first
    this.#through = through
    let before: Source = this.#paced ?? from
    for (const [index, stream] of through.entries()) {
      const source = before
      stream.onWritable = () => source.resume()
      stream.onClose = (error) => {
        if (error !== undefined) fail(error)
      }
      if (stream.closed) queueMicrotask(() => fail(new Error('a transform was closed before it was used')))
      stream.read(new Step(sinks[index + 1] ?? to))
      before = stream
    }
    this.#last = before
  }

  /** Bytes that entered, before the tap and after the wait. */
  get bytes(): number {
    return this.#first.bytes
  }

  /** Whether it takes nothing for now because `pace` said so. */
  get paused(): boolean {
    return this.#paced?.waiting === true
  }

  /** The sink takes more. */
  resume(): void {
    this.#last.resume()
  }

  stop(): void {
    this.#paced?.stop()
    for (const stream of this.#through) {
      stream.onClose = undefined
      stream.reset()
    }
  }
}
