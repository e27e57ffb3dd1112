import type { Clock, Logger, Metrics, Side } from '@rystra/plugin'
import { toLine } from './line.js'
import type { Sink } from './sink.js'

/** Characters per write. */
const batchSize = 64 * 1024

/** First and longest delay in milliseconds before a failed write is repeated. */
const FIRST_RETRY_MS = 1000
const LONGEST_RETRY_MS = 30_000

/** Milliseconds between two errors in the log. */
const ERROR_INTERVAL_MS = 60_000

/** Milliseconds that a stop waits for the disk. */
const FLUSH_TIMEOUT_MS = 2000

/** Options of a {@link Recorder}. */
export interface RecorderOptions {
  readonly sink: Sink
  readonly role: Side
  /** Maximum of queued characters. */
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
 * Queues records and writes them as fast as the sink accepts. Records beyond the queue are dropped and counted; a
 * record of type `audit.lost` reports them when there is room.
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
  /** The batch in progress; repeated until the sink accepts it. */
  #batch: Batch | undefined
  #flushing: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined
  #retryAfter = FIRST_RETRY_MS
  #failure = ''
  #nextErrorAt = 0
  #started = false
  #stopped = false

  constructor(options: RecorderOptions) {
    this.#options = options
    const { metrics } = options
    this.#written = metrics.counter('rystra_audit_records_total', 'Written audit records')
    this.#dropped = metrics.counter('rystra_audit_lost_total', 'Dropped audit records')
    this.#failures = metrics.counter('rystra_audit_failures_total', 'Failed writes of audit records')
  }

  /** Rejects when the sink is not writable. */
  async start(): Promise<void> {
    await this.#options.sink.open()
    this.#started = true
    this.add('audit.start', {})
  }

  /** Never throws, never blocks. */
  add(type: string, fields: object): void {
    if (!this.#started || this.#stopped) return
    if (this.#waiting >= this.#options.queue) {
      this.#seq += 1
      this.#drop(1)
    } else {
      this.#recordLost()
      this.#push(type, fields)
    }
    this.#flushSoon()
  }

  /** Writes queued records for two seconds at most; the rest is counted as lost and logged. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    if (!this.#started) return
    const dropped = this.#lost
    this.#recordLost()
    this.#push('audit.stop', {})
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    const { sink, log } = this.#options
    await this.#inTime(this.#flushing)
    if (this.#flushing === undefined) await this.#inTime(this.#flush())
    const left = this.#lines.length + (this.#batch?.count ?? 0)
    if (left > 0) {
      this.#dropped.add(left)
      log.error({ lost: left + dropped, sink: sink.name }, 'audit records lost at stop')
    }
    await this.#inTime(sink.close())
  }

  /** Uses real time: a blocked disk does not follow a test clock. */
  #inTime(work: Promise<void> | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FLUSH_TIMEOUT_MS)
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
    const time = new Date(clock.now()).toISOString()
    // Several processes may write one file: each has numbers of its own.
    const line = toLine({ time, type, seq: this.#seq, pid: process.pid, side: role, ...fields })
    this.#lines.push(line)
    this.#waiting += line.length
  }

  #drop(count: number): void {
    if (this.#lost === 0) this.#lostSince = this.#options.clock.now()
    this.#lost += count
    this.#dropped.add(count)
    this.#logError('audit records dropped: queue full')
  }

  #recordLost(): void {
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
    // Deferred to the end of the turn: records of one turn share a write.
    this.#flushing = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#flush())
  }

  /** Writes until the queue is empty or the sink fails. Never rejects. */
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
        this.#retryAfter = FIRST_RETRY_MS
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      this.#failure = code ?? message
      this.#failures.add(1)
      this.#logError('writing audit records failed; they are queued and retried', error)
      if (!this.#stopped) {
        this.#cancelRetry = clock.after(this.#retryAfter, () => {
          this.#cancelRetry = undefined
          this.#flushSoon()
        })
        this.#retryAfter = Math.min(LONGEST_RETRY_MS, this.#retryAfter * 2)
      }
    }
    this.#flushing = undefined
  }

  #take(): Batch | undefined {
    if (this.#lines.length === 0) this.#recordLost()
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

  #logError(message: string, error?: unknown): void {
    const { clock, log, sink } = this.#options
    if (clock.now() < this.#nextErrorAt) return
    this.#nextErrorAt = clock.now() + ERROR_INTERVAL_MS
    log.error({ ...(error === undefined ? {} : { err: error }), lost: this.#lost, sink: sink.name }, message)
  }
}
