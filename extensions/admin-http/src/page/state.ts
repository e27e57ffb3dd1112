import type { ExtensionView, Page, SampleView, StatusView } from '../schemas.js'
import { ApiError, type Event, readEvents, request } from './api.js'

/** Seconds that the charts show. */
const SECONDS = 300
const MAX_REFUSALS = 500
const RETRY_MS = 2000

/** A refusal, as an event tells it. */
export interface Refusal {
  readonly time: number
  readonly what: string
  readonly subject: string
  readonly code: string
  readonly message: string
  readonly more: number
}

const readCapabilities = async (): Promise<ReadonlySet<string>> => {
  const { items } = await request<Page<ExtensionView>>('/v1/extensions')
  return new Set(items.flatMap(({ registers }) => registers))
}

/** What the dashboard knows, kept up to date by events. */
export class State {
  status: StatusView
  /** What the extensions register: `admin:inspect`. */
  capabilities: ReadonlySet<string>
  readonly samples: SampleView[] = []
  /** The newest first. */
  readonly refusals: Refusal[] = []
  connected = true
  /** Called after each change. */
  onChange: (what: 'sample' | 'event' | 'connection' | 'capabilities') => void = () => {}
  /** Called when the token is not valid any more. */
  onDenied: () => void = () => {}
  readonly #stop = new AbortController()
  #after: string

  /** Rejects with an {@link ApiError}. */
  static async load(): Promise<State> {
    const status = await request<StatusView>('/v1/status')
    return new State(status, await readCapabilities())
  }

  constructor(status: StatusView, capabilities: ReadonlySet<string>) {
    this.status = status
    this.capabilities = capabilities
    // What the server still has of the past is shown, too.
    this.#after = `${status.run}.${Math.max(0, status.sequence - 1000)}`
  }

  stop(): void {
    this.#stop.abort()
  }

  /** Reads events until {@link stop}; a connection that is lost is made again. */
  async run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await readEvents(this.#after, (event) => this.#take(event), signal)
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) this.onDenied()
      }
      if (signal.aborted) return
      this.#setConnected(false)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  /** Takes the state anew. */
  async refresh(): Promise<void> {
    this.status = await request<StatusView>('/v1/status')
    this.onChange('event')
  }

  async #reloaded(): Promise<void> {
    await this.refresh()
    this.capabilities = await readCapabilities()
    this.onChange('capabilities')
  }

  #take({ id, type, data }: Event): void {
    this.#setConnected(true)
    if (id !== undefined) this.#after = id
    if (type === 'sample') {
      this.samples.push(data as unknown as SampleView)
      if (this.samples.length > SECONDS) this.samples.shift()
      this.onChange('sample')
      return
    }
    if (type === 'reload.done') void this.#reloaded().catch(() => {})
    if (type === 'refused') {
      const { time, what, subject, error, more } = data as unknown as Refusal & {
        error: { code: string; message: string }
      }
      this.refusals.unshift({ time, what, subject, code: error.code, message: error.message, more: more ?? 0 })
      this.refusals.length = Math.min(this.refusals.length, MAX_REFUSALS)
    }
    this.onChange('event')
  }

  #setConnected(connected: boolean): void {
    if (this.connected === connected) return
    this.connected = connected
    // Another process may answer now.
    if (connected) void this.#reloaded().catch(() => {})
    this.onChange('connection')
  }
}
