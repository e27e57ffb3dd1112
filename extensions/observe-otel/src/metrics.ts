import { type Attributes, metrics, type ObservableCallback, type Meter, ValueType } from '@opentelemetry/api'
import type { CloseRequestContext, Runtime } from '@rystra/plugin'
import { methodOf } from './attributes.js'

/** Metrics of one end: numbers that it keeps anyway, read when they are collected; and the duration of requests. */
export class EndMetrics {
  readonly #runtime: Runtime
  #record: ((request: CloseRequestContext) => void) | undefined
  #stop: (() => void) | undefined

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** Once an SDK is there: without one, all of it does nothing. */
  start(): void {
    const meter = metrics.getMeter('rystra')
    const duration = meter.createHistogram('http.server.request.duration', {
      unit: 's',
      description: 'Duration of HTTP requests.'
    })
    this.#record = ({ request, status, duration: milliseconds, error }) => {
      const attributes: Attributes = {
        'http.request.method': methodOf(request.method),
        'url.scheme': request.secure ? 'https' : 'http'
      }
      if (status > 0) attributes['http.response.status_code'] = status
      if (error !== undefined) attributes['error.type'] = error.code
      duration.record(milliseconds / 1000, attributes)
    }
    this.#stop = this.#observe(meter)
  }

  request(closed: CloseRequestContext): void {
    this.#record?.(closed)
  }

  stop(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#record = undefined
  }

  #observe(meter: Meter): () => void {
    const attributes = { 'rystra.side': this.#runtime.side }
    const int = { valueType: ValueType.INT }
    const callbacks: (() => void)[] = []
    const gauge = (name: string, description: string, read: () => number): void => {
      const made = meter.createObservableUpDownCounter(name, { ...int, description })
      const callback: ObservableCallback = (result) => result.observe(read(), attributes)
      made.addCallback(callback)
      callbacks.push(() => made.removeCallback(callback))
    }
    gauge('rystra.sessions', 'Sessions that are up.', () => this.#runtime.stats().sessions)
    gauge('rystra.proxies', 'Published proxies.', () => this.#runtime.stats().proxies)
    gauge('rystra.streams', 'Open streams.', () => this.#runtime.stats().streams)
    const counter = (name: string, unit: string, description: string, callback: ObservableCallback): void => {
      const made = meter.createObservableCounter(name, { ...int, unit, description })
      made.addCallback(callback)
      callbacks.push(() => made.removeCallback(callback))
    }
    counter('rystra.traffic', 'By', 'Bytes that streams have carried.', (result) => {
      const { bytesToService, bytesToVisitor } = this.#runtime.stats()
      result.observe(bytesToService, { ...attributes, 'rystra.direction': 'to_service' })
      result.observe(bytesToVisitor, { ...attributes, 'rystra.direction': 'to_visitor' })
    })
    counter('rystra.streams.opened', '{stream}', 'Streams so far.', (result) =>
      result.observe(this.#runtime.stats().opened, attributes)
    )
    counter('rystra.refused', '{refusal}', 'Refusals by error code.', (result) => {
      for (const [code, count] of Object.entries(this.#runtime.stats().refused))
        result.observe(count, { ...attributes, 'error.type': code })
    })
    return () => {
      for (const stop of callbacks) stop()
    }
  }
}
