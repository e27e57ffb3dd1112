import type { Clock, Logger, Metrics, Side } from '@rystra/plugin'
import { toLine } from './line.js'
import type { Sink } from './sink.js'

/** Characters that are written at once. */
const batchSize = 64 * 1024

/** Milliseconds until it is tried again after a failure, the first time and at most. */
const firstRetry = 1000
const longestRetry = 30_000

/** Milliseconds between two complaints in the log. */
const complainEvery = 60_000

/** Milliseconds that a stop waits for the disk. */
const flushDeadline = 2000

/** How records are kept until they are written. */
export interface RecorderOptions {
  readonly sink: Sink
  readonly role: Side
  /** Characters that wait, at most. */
  readonly queue: number
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

interface Batch {
  readonly bytes: Buffer
  readonly count: number
  /** In characters. */
  readonly size: number
}

/**
 * Takes records at once, and writes them as fast as the sink takes them. What does not fit in between is dropped and
 * counted; as soon as there is room, a record of type `audit.lost` says so.
 */
export class Recorder {
  readonly #options: RecorderOptions
  readonly #written: ReturnType<Metrics['counter']>
  readonly #dropped: ReturnType<Metrics['counter']>
  readonly #failures: ReturnType<Metrics['counter']>
  #lines: string[] = []
  #waiting = 0
  #seq = 0
  #lost = 0
  #lostSince = 0
  /** What is being written; given to the sink again until it takes it. */
  #batch: Batch | undefined
  #flushing: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined
  #retryAfter = firstRetry
  #failure = ''
  #nextComplaint = 0
  #started = false
  #stopped = false

  constructor(options: RecorderOptions) {
    this.#options = options
    const { metrics } = options
    this.#written = metrics.counter('rystra_audit_records_total', 'Audit records that were written')
    this.#dropped = metrics.counter('rystra_audit_lost_total', 'Audit records that were dropped')
    this.#failures = metrics.counter('rystra_audit_failures_total', 'Writes of audit records that failed')
  }

  /** Rejects when the sink cannot be written to. */
  async start(): Promise<void> {
    await this.#options.sink.open()
    this.#started = true
    this.add('audit.start', { pid: process.pid })
  }

  /** Never throws and never waits. */
  add(type: string, fields: object): void {
    if (!this.#started || this.#stopped) return
    if (this.#waiting >= this.#options.queue) {
      this.#seq += 1
      this.#drop(1)
    } else {
      this.#sayLost()
      this.#push(type, fields)
    }
    this.#flushSoon()
  }

  /** Writes what waits, for two seconds at most; what is left then is counted as lost, and said to the log. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    if (!this.#started) return
    const dropped = this.#lost
    this.#sayLost()
    this.#push('audit.stop', {})
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    const { sink, log } = this.#options
    await this.#inTime(this.#flushing)
    if (this.#flushing === undefined) await this.#inTime(this.#flush())
    const left = this.#lines.length + (this.#batch?.count ?? 0)
    if (left > 0) {
      this.#dropped.add(left)
      log.error({ lost: left + dropped, sink: sink.name }, 'audit records were lost at the stop')
    }
    await this.#inTime(sink.close())
  }

  /** By real time: a disk that hangs hangs whatever a clock of a test says. */
  #inTime(work: Promise<void> | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, flushDeadline)
      const done = (): void => {
        clearTimeout(timer)
        resolve()
      }
      Promise.resolve(work).then(done, done)
    })
  }

  #push(type: string, fields: object): void {
    const { clock, role } = this.#options
    this.#seq += 1
    const line = toLine({ time: new Date(clock.now()).toISOString(), type, seq: this.#seq, side: role, ...fields })
    this.#lines.push(line)
    this.#waiting += line.length
  }

  #drop(count: number): void {
    if (this.#lost === 0) this.#lostSince = this.#options.clock.now()
    this.#lost += count
    this.#dropped.add(count)
    this.#complain('audit records are dropped: they come faster than they can be written')
  }

  #sayLost(): void {
    if (this.#lost === 0) return
    const count = this.#lost
    this.#lost = 0
    this.#push('audit.lost', {
      count,
      since: new Date(this.#lostSince).toISOString(),
      ...(this.#failure === '' ? {} : { failure: this.#failure })
    })
    this.#failure = ''
  }

  #flushSoon(): void {
    if (this.#flushing !== undefined || this.#cancelRetry !== undefined) return
    // Not in the turn of whoever reports: what comes with it goes with it.
    this.#flushing = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#flush())
  }

  /** Writes until nothing waits, or the sink fails. Never rejects. */
  async #flush(): Promise<void> {
    const { sink, clock } = this.#options
    try {
      for (;;) {
        this.#batch ??= this.#take()
        if (this.#batch === undefined) break
        await sink.write(this.#batch.bytes)
        this.#written.add(this.#batch.count)
        this.#waiting -= this.#batch.size
        this.#batch = undefined
        this.#retryAfter = firstRetry
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      this.#failure = code ?? message
      this.#failures.add(1)
      this.#complain('audit records cannot be written; they are kept as long as there is room, and tried again', error)
      if (!this.#stopped) {
        this.#cancelRetry = clock.after(this.#retryAfter, () => {
          this.#cancelRetry = undefined
          this.#flushSoon()
        })
        this.#retryAfter = Math.min(longestRetry, this.#retryAfter * 2)
      }
    }
    this.#flushing = undefined
  }

  #take(): Batch | undefined {
    if (this.#lines.length === 0) this.#sayLost()
    if (this.#lines.length === 0) return undefined
    let [size, count] = [0, 0]
    while (count < this.#lines.length && size < batchSize) {
      size += this.#lines[count]?.length ?? 0
      count += 1
    }
    const taken = this.#lines.slice(0, count)
    this.#lines = this.#lines.slice(count)
    return { bytes: Buffer.from(taken.join('')), count, size }
  }

  #complain(message: string, error?: unknown): void {
    const { clock, log, sink } = this.#options
    if (clock.now() < this.#nextComplaint) return
    this.#nextComplaint = clock.now() + complainEvery
    log.error({ ...(error === undefined ? {} : { err: error }), lost: this.#lost, sink: sink.name }, message)
  }
}
