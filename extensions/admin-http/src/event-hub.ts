import type { Clock, Logger, Runtime, RuntimeEvent } from '@rystra/plugin'
import type { ServerResponse } from 'node:http'
import { HttpError } from './problem.js'
import { sampleOf } from './sample.js'
import { eventView, type Kinds } from './views.js'

/** Bytes that may wait for one reader: hundreds of events. Beyond that it is sent no more for {@link BEHIND_MS}. */
const MAX_QUEUED_BYTES = 512 * 1024
/** Interval of comments that keep connections open through middleboxes, and find readers that are gone. */
const KEEP_ALIVE_MS = 15_000
const SAMPLE_INTERVAL_MS = 1000
/** Time for a reader to read what waits for it; one that is still behind then does not read, and is dropped. */
const BEHIND_MS = 1000

/** What a reader wants. */
export interface ReaderOptions {
  /** Name of the caller, for the log. */
  readonly caller: string
  /** `Last-Event-ID`. */
  readonly after?: string | undefined
  /** Events of streams, too. */
  readonly streams: boolean
  /** A sample of the totals each second. */
  readonly samples: boolean
}

interface Reader extends ReaderOptions {
  readonly response: ServerResponse
  /** Ends the wait of a reader that is behind, and is sent nothing meanwhile. */
  cancelWait?: (() => void) | undefined
}

/** Sends what happens to its readers as server-sent events. Works only while there are readers. */
export class EventHub {
  readonly #runtime: Runtime
  readonly #log: Logger
  readonly #clock: Clock
  readonly #max: number
  readonly #kinds: Kinds
  readonly #readers = new Set<Reader>()
  #unsubscribe: (() => void) | undefined
  #withStreams = false
  #cancelSamples: (() => void) | undefined
  #cancelKeepAlive: (() => void) | undefined

  constructor(runtime: Runtime, log: Logger, clock: Clock, max: number, kinds: Kinds) {
    this.#runtime = runtime
    this.#log = log
    this.#clock = clock
    this.#max = max
    this.#kinds = kinds
  }

  /** Throws `admin.busy` when there are too many readers. */
  checkRoom(): void {
    if (this.#readers.size >= this.#max)
      throw new HttpError(503, 'admin.busy', `${this.#max} readers of events are connected`, {
        hint: 'close other dashboards, or raise `readers` of admin-http',
        headers: { 'retry-after': '10' }
      })
  }

  /** Sends events to a response, whose head has been written, until it closes. */
  add(response: ServerResponse, options: ReaderOptions): void {
    // Gone before the API was made: `close` comes no more.
    if (response.destroyed) return
    const reader: Reader = { ...options, response }
    this.#readers.add(reader)
    response.once('close', () => this.#remove(reader))
    // Subscribed before what has happened is read, in one turn: nothing is missed between.
    this.#subscribe()
    const missed = this.#missed(options.after)
    if (missed === undefined) {
      this.#reset(reader, options.after === undefined ? 'begin' : 'gone')
    } else for (const event of missed) this.#send(reader, this.#frameOf(event))
    if (options.samples) this.#send(reader, this.#sample())
    this.#schedule()
  }

  /** Ends all readers. */
  close(): void {
    for (const { response, cancelWait } of this.#readers) {
      cancelWait?.()
      response.end()
    }
    this.#readers.clear()
    this.#subscribe()
    this.#schedule()
  }

  /** Events after the id; `undefined` when there is no id, or they are gone: then a reader needs a new snapshot. */
  #missed(after: string | undefined): readonly RuntimeEvent[] | undefined {
    const { events } = this.#runtime
    const [, run, sequence] = /^([^.]*)\.(\d{1,15})$/.exec(after ?? '') ?? []
    if (run !== events.run || Number(sequence) > events.sequence) return undefined
    return events.since(Number(sequence))
  }

  #remove(reader: Reader): void {
    reader.cancelWait?.()
    if (!this.#readers.delete(reader)) return
    this.#subscribe()
    this.#schedule()
  }

  /** Events of streams are many: they are made only while a reader wants them. */
  #subscribe(): void {
    const wanted = this.#readers.size > 0
    const streams = [...this.#readers].some((reader) => reader.streams)
    if (wanted === (this.#unsubscribe !== undefined) && streams === this.#withStreams) return
    this.#unsubscribe?.()
    this.#withStreams = streams
    this.#unsubscribe = wanted
      ? this.#runtime.events.subscribe((event) => this.#publish(event), { streams })
      : undefined
  }

  #publish(event: RuntimeEvent): void {
    const text = this.#frameOf(event)
    const ofStream = event.type === 'stream.opened' || event.type === 'stream.closed'
    for (const reader of this.#readers) if (!ofStream || reader.streams) this.#send(reader, text)
  }

  #frameOf(event: RuntimeEvent): string {
    return frame(event.type, eventView(event, this.#kinds), this.#idOf(event.sequence))
  }

  #idOf(sequence: number): string {
    return `${this.#runtime.events.run}.${sequence}`
  }

  #sample(): string {
    return frame('sample', sampleOf(this.#runtime, this.#clock.now()))
  }

  #send(reader: Reader, text: string): void {
    if (reader.cancelWait !== undefined) return
    if (reader.response.writableLength > MAX_QUEUED_BYTES)
      reader.cancelWait = this.#clock.after(BEHIND_MS, () => this.#afterWait(reader))
    else reader.response.write(text)
  }

  /** A burst was too much for it: it goes on with a new snapshot, if it has read. */
  #afterWait(reader: Reader): void {
    const { response, caller } = reader
    reader.cancelWait = undefined
    if (response.writableLength <= MAX_QUEUED_BYTES) {
      this.#reset(reader, 'gone')
      return
    }
    this.#log.warn({ caller, queued: response.writableLength }, 'a reader of events that does not read was dropped')
    this.#remove(reader)
    response.destroy()
  }

  /** Tells a reader to take a new snapshot, and go on from the last event. */
  #reset(reader: Reader, reason: 'begin' | 'gone'): void {
    const { run, sequence } = this.#runtime.events
    this.#send(reader, frame('reset', { run, sequence, reason }, this.#idOf(sequence)))
  }

  /** Timers run only while there is a reader that needs them. */
  #schedule(): void {
    const samples = [...this.#readers].some((reader) => reader.samples)
    if (samples) this.#cancelSamples ??= this.#clock.after(SAMPLE_INTERVAL_MS, () => this.#onSample())
    else {
      this.#cancelSamples?.()
      this.#cancelSamples = undefined
    }
    if (this.#readers.size > 0) this.#cancelKeepAlive ??= this.#clock.after(KEEP_ALIVE_MS, () => this.#onKeepAlive())
    else {
      this.#cancelKeepAlive?.()
      this.#cancelKeepAlive = undefined
    }
  }

  #onSample(): void {
    this.#cancelSamples = undefined
    const text = this.#sample()
    for (const reader of [...this.#readers]) if (reader.samples) this.#send(reader, text)
    this.#schedule()
  }

  #onKeepAlive(): void {
    this.#cancelKeepAlive = undefined
    for (const reader of [...this.#readers]) this.#send(reader, ':\n\n')
    this.#schedule()
  }
}

/** One event of the stream, HTML Living Standard §9.2. JSON has no line ends. */
const frame = (event: string, data: object, id?: string): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
