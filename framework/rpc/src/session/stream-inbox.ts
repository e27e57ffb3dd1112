import { monotonicTime, type SessionClock } from '../clock/session-clock.js'
import { type RpcError, rpcError } from '../error.js'
import type { Check } from '../router/route.js'
import { type Aligned, AlignedReceiver } from '../stream/aligned-receiver.js'
import type { JitterBufferOptions, StreamStats } from '../stream/jitter-buffer.js'
import { SequenceTracker } from '../stream/sequence.js'
import { MAX_TIMER_MS } from './max-timer.js'
import type { StreamMessage } from './stream-frames.js'
import { type QueueEvents, StreamQueue } from './stream-queue.js'

/** What a {@link StreamInbox} tells its stream. */
export interface InboxEvents {
  /** There is room again, after {@link StreamInbox.take} answered `false`. */
  onRoom(): void
  /** A message does not fit its type. */
  onFailed(error: Error): void
}

export const end: IteratorResult<unknown, undefined> = Object.freeze({ done: true, value: undefined })

const same = (data: unknown): unknown => data

const resultOf = (data: unknown): IteratorResult<unknown, undefined> =>
  data === undefined ? end : { done: false, value: data }

/** Messages of one stream between their arrival and their reader. */
export class StreamInbox implements QueueEvents {
  readonly #unreliable: boolean
  readonly #events: InboxEvents
  readonly #queue: StreamQueue
  /** Of datagrams alone: it takes 8 KiB. */
  #sequence: SequenceTracker | undefined
  #aligned: AlignedReceiver<unknown> | undefined
  #check: Check | undefined
  #received = 0
  #duplicates = 0
  #refused = 0
  #ended = false
  #error: RpcError | undefined

  constructor(unreliable: boolean, limit: number, events: InboxEvents) {
    this.#unreliable = unreliable
    this.#events = events
    this.#queue = new StreamQueue(limit, this)
  }

  get stats(): StreamStats {
    const counts = {
      received: this.#received,
      duplicate: this.#duplicates,
      refused: this.#refused,
      depth: this.#queue.size
    }
    return this.#aligned?.stats ?? { lost: 0, late: 0, reordered: 0, overflow: 0, targetDelay: 0, ...counts }
  }

  checkWith(check: Check): void {
    this.#check = check
  }

  /** What waits already goes through the jitter buffer too. */
  align(clock: SessionClock, options: JitterBufferOptions): void {
    const after = (ms: number, fn: () => void): (() => void) => {
      const timer = setTimeout(fn, Math.min(Math.max(0, ms), MAX_TIMER_MS))
      return () => clearTimeout(timer)
    }
    this.#aligned = new AlignedReceiver({ ...options, clock, after })
    for (let early = this.#queue.shift(); early !== undefined; early = this.#queue.shift()) this.#align(early)
    if (this.#ended) this.#aligned.end(this.#error)
  }

  /** A message has come; `datagram` says that it may be one that came before. Answers whether there is room for more. */
  take(message: StreamMessage, datagram: boolean): boolean {
    if (this.#ended) return true
    this.#received += 1
    if (this.#aligned !== undefined) {
      this.#align(message)
      return true
    }
    if (datagram) {
      this.#sequence ??= new SequenceTracker()
      const arrival = this.#sequence.add(message.seq ?? 0)
      if (arrival === 'duplicate') this.#duplicates += 1
      if (arrival === 'duplicate' || arrival === 'refused') return true
    }
    if (this.#queue.push(message)) return true
    if (!this.#unreliable) return false
    // What may be lost is lost where it is the oldest.
    this.#queue.shift()
    return true
  }

  #align(message: StreamMessage): void {
    const { data, seq, time, bytes } = message
    if (this.#unreliable && !this.#fits(data)) return
    this.#aligned?.push({ data, bytes, seq: seq ?? this.#received - 1, timestamp: time ?? monotonicTime() })
  }

  #fits(data: unknown): boolean {
    try {
      this.#check?.(data)
      return true
    } catch (error) {
      this.#refused += 1
      if (this.#unreliable) return false
      this.#events.onFailed(error as Error)
      throw error
    }
  }

  recv(): Promise<unknown> {
    return this.#queue.take(same)
  }

  /** The same, for an iterator. */
  next(): Promise<IteratorResult<unknown, undefined>> {
    return this.#queue.take(resultOf)
  }

  onRoom(): void {
    this.#events.onRoom()
  }

  /** Checked when it is read, so that a check that a handler sets sees the first messages too. */
  admits(data: unknown): boolean {
    return this.#fits(data)
  }

  async recvAligned(): Promise<Aligned<unknown> | undefined> {
    if (this.#aligned === undefined) throw rpcError('rpc.invalid', 'withTimeSync() was not called')
    const aligned = await this.#aligned.recvAligned()
    if (aligned !== undefined && !this.#unreliable) this.#fits(aligned[0])
    return aligned
  }

  /** Nothing more comes. What waits is still given out, unless there was an error. */
  end(error?: RpcError): void {
    this.#ended = true
    this.#error ??= error
    this.#queue.end(error)
    this.#aligned?.end(error)
  }
}
