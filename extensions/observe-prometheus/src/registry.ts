import type { Metrics, Runtime } from '@rystra/plugin'
import { Exposition } from './exposition.js'
import { renderExtensionMetrics } from './extension-metrics.js'
import type { PrometheusOptions } from './options.js'
import { ProcessMetrics } from './process-metrics.js'
import { TunnelMetrics } from './tunnel-metrics.js'

/** Renders all metrics. Nothing is counted or kept between two scrapes but the delay of the event loop. */
export class MetricsRegistry {
  readonly #metrics: Metrics
  readonly #options: PrometheusOptions
  readonly #tunnel: TunnelMetrics
  readonly #process: ProcessMetrics | undefined
  #running: Promise<readonly string[]> | undefined

  constructor(runtime: Runtime, metrics: Metrics, options: PrometheusOptions) {
    this.#metrics = metrics
    this.#options = options
    this.#tunnel = new TunnelMetrics(runtime, options)
    this.#process = options.process ? new ProcessMetrics() : undefined
  }

  start(): void {
    this.#process?.start()
  }

  stop(): void {
    this.#process?.stop()
  }

  /** The text, in pieces. Scrapes at the same time share one rendering, so that many of them cost as much as one. */
  render(): Promise<readonly string[]> {
    this.#running ??= this.#render().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #render(): Promise<readonly string[]> {
    const out = new Exposition()
    const start = performance.now()
    await this.#tunnel.render(out)
    await renderExtensionMetrics(this.#metrics, out, this.#options.maxSeries)
    await this.#process?.render(out)
    const seconds = (performance.now() - start) / 1000
    out.single('rystra_scrape_duration_seconds', 'gauge', 'Time that rendering these metrics took.', seconds)
    return out.end()
  }
}
