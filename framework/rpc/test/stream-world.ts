import { DriftingClock, FakeClock, type LineOptions, SimulatedLine } from '@rystra/testkit'
import { JitterBuffer, type JitterBufferOptions, type TimedMessage } from '../src/stream/jitter-buffer.js'

/** A stream of one message each `every` milliseconds over a simulated line. */
export interface StreamWorldOptions extends JitterBufferOptions {
  readonly line: LineOptions
  readonly seed?: number
  /** @default 20 */
  readonly every?: number
  /** The sender's clock, in milliseconds and millionths. */
  readonly offset?: number
  readonly ppm?: number
}

/** Sends, receives and takes out each message when it is due. */
export class StreamWorld {
  readonly time = new FakeClock()
  readonly sender: DriftingClock
  readonly buffer: JitterBuffer<number>
  readonly released: { readonly seq: number; readonly at: number; readonly sent: number }[] = []
  /** Delay that the buffer added beyond the fastest trip, for each message that was released. */
  readonly delays: number[] = []
  /** What each message took on the line. */
  readonly transits: number[] = []
  sent = 0
  readonly #line: SimulatedLine
  readonly #every: number
  readonly #fastest: number
  #cancel = (): void => {}

  constructor({ line, seed = 1, every = 20, offset = 0, ppm = 0, ...options }: StreamWorldOptions) {
    this.sender = new DriftingClock(this.time, { offset, ppm })
    this.buffer = new JitterBuffer(options)
    this.#line = new SimulatedLine(this.time, seed, line)
    this.#every = every
    this.#fastest = line.delay ?? 0
  }

  run(ms: number): void {
    const until = this.time.now() + ms
    while (this.time.now() < until) {
      this.#send()
      this.time.advance(this.#every)
    }
  }

  /** Sends one more, as it is or changed. */
  #send(): void {
    const sent = this.time.now()
    const message = { seq: this.sent++, timestamp: this.sender.now(), data: sent, bytes: 100 }
    this.#line.send(() => this.receive(message, sent))
  }

  receive(message: TimedMessage<number>, sent = this.time.now()): void {
    this.transits.push(this.time.now() - sent)
    this.buffer.push(message, this.time.now())
    this.#release()
  }

  #release(): void {
    this.#cancel()
    const now = this.time.now()
    for (let message = this.buffer.pop(now); message !== undefined; message = this.buffer.pop(now)) {
      this.released.push({ seq: message.seq, at: now, sent: message.data })
      this.delays.push(now - message.data - this.#fastest)
    }
    const wait = this.buffer.dueIn(now)
    if (wait < Number.POSITIVE_INFINITY) this.#cancel = this.time.after(wait, () => this.#release())
  }
}
