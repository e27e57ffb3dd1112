import type { SessionClock } from '../clock/session-clock.js'
import { TimestampReader } from '../clock/timestamp-reader.js'
import {
  JitterBuffer,
  type JitterBufferOptions,
  type PushOutcome,
  type StreamStats,
  type TimedMessage
} from './jitter-buffer.js'

/** What {@link AlignedReceiver} works with. */
export interface AlignedReceiverOptions extends JitterBufferOptions {
  readonly clock: SessionClock
  /** Calls `fn` once, after `ms` milliseconds, unless the returned function is called first. */
  readonly after: (ms: number, fn: () => void) => () => void
}

/** A message and the local time of its timestamp, in milliseconds since the epoch. */
export type Aligned<Data> = [data: Data, alignedTime: number]

interface Waiter<Data> {
  resolve(message: Aligned<Data> | undefined): void
  reject(error: Error): void
}

/** Gives the messages of a stream in order, each when its time has come, with times of the local clock that never go backwards. */
export class AlignedReceiver<Data> implements AsyncIterable<Aligned<Data>> {
  readonly #buffer: JitterBuffer<Data>
  readonly #clock: SessionClock
  readonly #reader: TimestampReader
  readonly #after: AlignedReceiverOptions['after']
  readonly #waiters: Waiter<Data>[] = []
  #cancelTimer: (() => void) | undefined
  #ended = false
  #error: Error | undefined

  constructor({ clock, after, ...options }: AlignedReceiverOptions) {
    this.#buffer = new JitterBuffer(options)
    this.#clock = clock
    this.#reader = new TimestampReader(clock)
    this.#after = after
  }

  get stats(): StreamStats {
    return this.#buffer.stats
  }

  /** Takes a message that has just arrived. */
  push(message: TimedMessage<Data>): PushOutcome {
    const outcome = this.#buffer.push(message, this.#clock.local())
    if (outcome === 'queued') this.#serve()
    return outcome
  }

  /** Nothing more comes: what waits is still given out, then `undefined`. With an error, that is thrown instead. */
  end(error?: Error): void {
    this.#ended = true
    this.#error ??= error
    this.#serve()
  }

  /** The next message, when it is due; `undefined` after the last. */
  recvAligned(): Promise<Aligned<Data> | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.#serve()
    })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Aligned<Data>, void> {
    for (let next = await this.recvAligned(); next !== undefined; next = await this.recvAligned()) yield next
  }

  #serve(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    for (let waiter = this.#waiters[0]; waiter !== undefined; waiter = this.#waiters[0]) {
      const now = this.#clock.local()
      const message = this.#buffer.pop(now)
      if (message !== undefined) waiter.resolve([message.data, this.#reader.read(message.timestamp)])
      else if (this.#buffer.dueIn(now) < Number.POSITIVE_INFINITY) {
        this.#cancelTimer = this.#after(this.#buffer.dueIn(now), () => this.#serve())
        return
      } else if (!this.#ended) return
      else if (this.#error === undefined) waiter.resolve(undefined)
      else waiter.reject(this.#error)
      this.#waiters.shift()
    }
  }
}
