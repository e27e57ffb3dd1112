import type { Metrics } from '@rystra/plugin'
import type { Drop } from './drop-counter.js'

/** What one half of a proxy counts. */
export interface UdpStats {
  /** Datagrams that were passed on. */
  readonly toService: number
  readonly toVisitor: number
  readonly dropped: Readonly<Partial<Record<Drop, number>>>
}

/** Counters of all UDP proxies of one end: none is lost that is not counted where it was lost. */
export class DatagramMetrics {
  readonly #passed: ReturnType<Metrics['counter']>
  readonly #dropped: ReturnType<Metrics['counter']>
  readonly #sources = new Set<() => void>()
  readonly #forget: () => void

  constructor(metrics: Metrics) {
    this.#passed = metrics.counter('rystra_udp_datagrams_total', 'Datagrams passed on, by proxy and direction.')
    this.#dropped = metrics.counter('rystra_udp_dropped_total', 'Datagrams dropped, by proxy and place.')
    this.#forget = metrics.collect(() => {
      for (const read of this.#sources) read()
    })
  }

  /** Counts what a source counts from now on, until the returned function is called. */
  watch(proxy: string, source: { stats(): UdpStats }): () => void {
    let before = source.stats()
    const read = (): void => {
      const now = source.stats()
      for (const [field, direction] of [
        ['toService', 'to_service'],
        ['toVisitor', 'to_visitor']
      ] as const)
        if (now[field] > before[field]) this.#passed.add(now[field] - before[field], { proxy, direction })
      for (const [place, count] of Object.entries(now.dropped) as [Drop, number][]) {
        const more = count - (before.dropped[place] ?? 0)
        if (more > 0) this.#dropped.add(more, { proxy, place })
      }
      before = now
    }
    this.#sources.add(read)
    return () => {
      if (this.#sources.delete(read)) read()
    }
  }

  /** With the extension. */
  close(): void {
    this.#forget()
    for (const read of this.#sources) read()
    this.#sources.clear()
  }
}
