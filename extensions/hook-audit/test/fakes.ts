import type { Logger, Metrics, ProxySpec, StreamInfo } from '@rystra/plugin'
import { silentLog } from '@rystra/plugin'
import type { Sink } from '../src/sink.js'
import { sessionInfo } from '@rystra/testkit'

export const session = sessionInfo({
  identity: { id: 'home', rights: { secret: 'of-the-rights' } },
  transport: 'tcp',
  muxer: 'yamux'
})

export const proxy: ProxySpec = { name: 'web', kind: 'tcp', port: 8080 }

export const stream: StreamInfo = {
  id: '1',
  proxy,
  session,
  side: 'server',
  visitor: { host: '198.51.100.7', port: 55_000, to: { host: '203.0.113.1', port: 8080 } }
}

/** Counts what an extension counts. */
export class Counted implements Metrics {
  readonly values = new Map<string, number>()

  counter(name: string): ReturnType<Metrics['counter']> {
    return { add: (count = 1) => void this.values.set(name, (this.values.get(name) ?? 0) + count) }
  }

  gauge(): ReturnType<Metrics['gauge']> {
    return { set: () => undefined }
  }

  collect(): () => void {
    return () => {}
  }

  snapshot(): ReturnType<Metrics['snapshot']> {
    return []
  }

  of(name: string): number {
    return this.values.get(name) ?? 0
  }
}

export interface Line {
  readonly fields: Record<string, unknown>
  readonly message: string
}

/** Keeps the errors that were logged. */
export const listening = (): { readonly log: Logger; readonly lines: Line[] } => {
  const lines: Line[] = []
  const error = (...args: unknown[]): void => {
    lines.push({ fields: (args.length > 1 ? args[0] : {}) as Record<string, unknown>, message: String(args.at(-1)) })
  }
  const log: Logger = { ...silentLog, error, child: () => log }
  return { log, lines }
}

/** A sink that fails, hangs or accepts, as the test sets it. */
export class FakeSink implements Sink {
  readonly name = 'fake'
  text = ''
  writes = 0
  failing: string | undefined
  hanging = false
  closed = false
  #release: (() => void) | undefined

  async open(): Promise<void> {
    if (this.failing !== undefined) throw Object.assign(new Error('no'), { code: this.failing })
  }

  async write(lines: Buffer): Promise<void> {
    this.writes += 1
    if (this.hanging) {
      await new Promise<void>((resolve) => {
        this.#release = resolve
      })
    }
    if (this.failing !== undefined) throw Object.assign(new Error('no'), { code: this.failing })
    this.text += lines.toString()
  }

  goOn(): void {
    this.hanging = false
    this.#release?.()
  }

  async close(): Promise<void> {
    this.closed = true
  }

  get records(): Record<string, unknown>[] {
    return recordsOf(this.text)
  }
}

export const recordsOf = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

export { until } from '@rystra/testkit'
