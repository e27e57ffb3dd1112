import type { Logger } from '@rystra/model'
import { LineOutput } from '../line-output.js'

/** How a {@link Feed} writes. */
export interface FeedOptions {
  /** One JSON object per line, for programs, instead of lines for people. */
  readonly json: boolean
  /** For people: only addresses, since the log on stderr has the rest. */
  readonly brief: boolean
  /** For people: each stream and request as well. */
  readonly streams: boolean
  /** Name of the member of which it tells, where several write to one stream. @default none */
  readonly member?: string | undefined
}

/** Tells what happens, on stdout: one JSON object per line for programs, or lines for people. */
export class Feed {
  readonly json: boolean
  /** Whether streams and requests are told to people. */
  readonly streams: boolean
  readonly #brief: boolean
  readonly #member: { readonly member?: string }
  readonly #prefix: string
  readonly #out: LineOutput
  readonly #notes: LineOutput
  #onGone: (() => void) | undefined
  #gone = false

  constructor({ json, brief, streams, member }: FeedOptions) {
    this.#member = member === undefined ? {} : { member }
    this.#prefix = member === undefined ? '' : `[${member}] `
    this.json = json
    this.streams = streams
    this.#brief = brief
    this.#out = new LineOutput(process.stdout, {
      lostLine: (lines, reason) =>
        json
          ? `${JSON.stringify({ event: 'lost', lines, reason })}\n`
          : `… ${lines} ${lines === 1 ? 'line' : 'lines'} could not be written (${reason})\n`,
      onGone: () => {
        this.#gone = true
        this.#onGone?.()
      }
    })
    this.#notes = new LineOutput(process.stderr, { lostLine: () => '' })
  }

  /** Called when the reader of --json has gone: nothing reads the outcome any more. */
  set onGone(listener: () => void) {
    if (!this.json) return
    this.#onGone = listener
    if (this.#gone) listener()
  }

  /** An event. `text` is what people get to read; nothing when it says nothing new to them. */
  event(event: string, fields: object, text?: string): void {
    if (this.json) this.#out.write(`${JSON.stringify({ event, ...this.#member, ...fields })}\n`)
    else if (text !== undefined) this.#out.write(`${this.#prefix}${text}\n`)
  }

  /** An event of many, with the time before it for people. */
  detail(event: string, fields: object, text?: string): void {
    if (this.json) this.event(event, fields)
    else if (text !== undefined) this.summary(text)
  }

  /** For people only, among the details. */
  summary(text: string): void {
    if (!this.json && !this.#brief)
      this.#out.write(`${this.#prefix}${new Date().toTimeString().slice(0, 8)}  ${text}\n`)
  }

  /** For people only, and not part of the outcome: to stderr. */
  note(text: string): void {
    if (!this.json) this.#notes.write(`${this.#prefix}${text}\n`)
  }

  /** A warning, once: a note, or in the log, where there is one. */
  warn(log: Logger, text: string): void {
    if (this.json || this.#brief) log.warn(text)
    else this.note(`Warning: ${text}`)
  }

  /** A note of what the log has as well, where there is one. */
  logged(text: string): void {
    if (!this.#brief) this.note(text)
  }
}

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** `1.2 MB`, by thousands. */
export const formatBytes = (bytes: number): string => {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `350 ms`, `6.1 s`, `4 min 5 s`, `2 h 3 min`. */
export const formatDuration = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}
