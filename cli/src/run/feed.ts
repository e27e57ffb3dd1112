/** Tells what happens, on stdout: one JSON object per line for programs, or lines for people. */
export class Feed {
  readonly #json: boolean
  readonly #brief: boolean

  /** @param brief For people: only what matters once, since the log on stderr has the rest. */
  constructor(json: boolean, brief: boolean) {
    this.#json = json
    this.#brief = brief
  }

  /** An event. `text` is what people get to read; nothing when it says nothing new to them. */
  event(event: string, fields: object, text?: string): void {
    if (this.#json) this.#line(JSON.stringify({ event, ...fields }))
    else if (text !== undefined) this.#line(text)
  }

  /** An event of many, with the time before it for people. */
  detail(event: string, fields: object, text?: string): void {
    if (this.#json) this.#line(JSON.stringify({ event, ...fields }))
    else if (text !== undefined) this.summary(text)
  }

  /** For people only, among the details. */
  summary(text: string): void {
    if (!this.#json && !this.#brief) this.#line(`${new Date().toTimeString().slice(0, 8)}  ${text}`)
  }

  /** For people only, and not part of the outcome: to stderr. */
  note(text: string): void {
    if (!this.#json) process.stderr.write(`${text}\n`)
  }

  #line(text: string): void {
    process.stdout.write(`${text}\n`)
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
