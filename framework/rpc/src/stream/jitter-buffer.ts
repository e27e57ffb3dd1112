import { isTimestamp } from '../clock/exchange.js'
import { Playout, type PlayoutOptions } from './playout.js'
import { SequenceTracker } from './sequence.js'

/** Options of {@link JitterBuffer}. */
export interface JitterBufferOptions extends PlayoutOptions {
  /** Messages that wait, at most: the oldest is dropped for a new one. @default 512 */
  readonly maxMessages?: number
  /** Bytes that wait, at most. @default 4194304 */
  readonly maxBytes?: number
}

/** A message of a stream. */
export interface TimedMessage<Data> {
  /** From 0 up; never again. */
  readonly seq: number
  /** Milliseconds since the epoch, by the sender's clock. */
  readonly timestamp: number
  readonly data: Data
  /** What `data` counts for the bound. */
  readonly bytes: number
}

/** What a receiver has seen so far. */
export interface StreamStats {
  /** Messages that arrived, whatever became of them. */
  readonly received: number
  /** Never arrived, though one after them was released. */
  readonly lost: number
  /** Dropped: arrived after their time, or after a later one was released. */
  readonly late: number
  /** Dropped: had arrived before. */
  readonly duplicate: number
  /** Arrived after one with a higher number, in time. */
  readonly reordered: number
  /** Dropped: the buffer was full because nothing took messages out of it. */
  readonly overflow: number
  /** Dropped: no valid number, timestamp or size. */
  readonly refused: number
  /** Milliseconds that messages are held beyond the fastest trip. */
  readonly targetDelay: number
  /** Messages that wait. */
  readonly depth: number
}

export type PushOutcome = 'queued' | 'late' | 'duplicate' | 'refused'

interface Waiting<Data> {
  readonly seq: number
  readonly timestamp: number
  readonly arrived: number
  /** Nothing when it came too late and was dropped: its number is not lost when a later one is released. */
  readonly message: TimedMessage<Data> | undefined
}

/** Puts messages in the order of their numbers and holds each until its time. Does no I/O: times are given to it, by the own clock. */
export class JitterBuffer<Data> {
  readonly #playout: Playout
  readonly #sequence = new SequenceTracker()
  readonly #maxMessages: number
  readonly #maxBytes: number
  /** By number. */
  readonly #waiting: Waiting<Data>[] = []
  #bytes = 0
  /** Of those that wait, the ones that were not dropped. */
  #depth = 0
  /** The lowest number that may still be released; -1 before the first release. */
  #next = -1
  /** The first that was released. */
  #first = -1
  readonly #counts = { received: 0, lost: 0, late: 0, duplicate: 0, reordered: 0, overflow: 0, refused: 0 }

  constructor({ maxMessages = 512, maxBytes = 4_194_304, ...playout }: JitterBufferOptions = {}) {
    this.#playout = new Playout(playout)
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }

  get stats(): StreamStats {
    return { ...this.#counts, targetDelay: this.#playout.delay, depth: this.#depth }
  }

  /** Takes what arrived `now`. */
  push(message: TimedMessage<Data>, now: number): PushOutcome {
    this.#counts.received++
    const { seq, timestamp, bytes } = message
    if (!isTimestamp(timestamp) || !(bytes >= 0 && bytes <= this.#maxBytes)) return this.#drop('refused')
    const arrival = this.#sequence.add(seq)
    if (arrival === 'refused' || arrival === 'duplicate') return this.#drop(arrival)
    if (arrival === 'resync') this.#restart()
    const overdue = this.#playout.due(timestamp) < now
    this.#playout.add(now, timestamp)
    if (seq < this.#next) {
      // It was counted as lost when a later one was released.
      if (arrival === 'reordered' && seq > this.#first) this.#counts.lost--
      return this.#drop('late')
    }
    const late = arrival === 'old' || overdue
    this.#insert({ seq, timestamp, arrived: now, message: late ? undefined : message })
    if (late) return this.#drop('late')
    if (arrival === 'reordered') this.#counts.reordered++
    return 'queued'
  }

  /** The next message, if its time has come. */
  pop(now: number): TimedMessage<Data> | undefined {
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      if (this.#dueOf(first, now) > now) return undefined
      this.#take()
      if (first.message !== undefined) return first.message
    }
    return undefined
  }

  /** Milliseconds until there is a message; 0 if there is one, `Infinity` if none waits. */
  dueIn(now: number): number {
    const [first] = this.#waiting
    return first === undefined ? Number.POSITIVE_INFINITY : Math.max(0, this.#dueOf(first, now) - now)
  }

  #dueOf({ timestamp, arrived }: Waiting<Data>, now: number): number {
    // The clock was set back since: the time of arrival says nothing.
    if (now < arrived) return now
    // A timestamp of the future cannot hold up what follows.
    return Math.min(this.#playout.due(timestamp), arrived + this.#playout.maxDelay)
  }

  #take(): Waiting<Data> {
    const first = this.#waiting.shift() as Waiting<Data>
    if (first.message !== undefined) this.#count(-1, first.message)
    if (this.#next === -1) this.#first = first.seq
    else this.#counts.lost += first.seq - this.#next
    this.#next = first.seq + 1
    return first
  }

  #count(change: 1 | -1, { bytes }: TimedMessage<Data>): void {
    this.#depth += change
    this.#bytes += change * bytes
  }

  #insert(entry: Waiting<Data>): void {
    let place = this.#waiting.length
    while (place > 0 && (this.#waiting[place - 1] as Waiting<Data>).seq > entry.seq) place--
    this.#waiting.splice(place, 0, entry)
    if (entry.message !== undefined) this.#count(1, entry.message)
    while (this.#waiting.length > this.#maxMessages || this.#bytes > this.#maxBytes) {
      if (this.#take().message !== undefined) this.#counts.overflow++
    }
  }

  #drop<Reason extends 'late' | 'duplicate' | 'refused'>(reason: Reason): Reason {
    this.#counts[reason]++
    return reason
  }

  /** The numbers of before are not comparable with those that follow. */
  #restart(): void {
    this.#counts.overflow += this.#depth
    this.#waiting.length = 0
    this.#bytes = 0
    this.#depth = 0
    this.#next = -1
  }
}
