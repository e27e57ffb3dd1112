import type { MetricSnapshot, Metrics } from '@rystra/plugin'

type Labels = Readonly<Record<string, string>>

interface Metric {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly values: Map<string, { labels: Labels; value: number }>
}

/** The characters of a metric's name, as Prometheus wants them. */
const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/

/**
 * How many sets of labels one metric may have. Labels come from peers at times; beyond this they are counted together,
 * under no labels, so that memory stays bounded.
 */
const maxLabelSets = 10_000

const keyOf = (labels: Labels): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))

/** Keeps the numbers in memory, until a {@link snapshot} is taken. */
export class MetricStore implements Metrics {
  readonly #metrics = new Map<string, Metric>()
  readonly #reads = new Set<{ readonly read: () => void }>()

  /** The same name gives the same counter. Throws a `TypeError` for a bad name, or one that is a gauge already. */
  counter(name: string, help: string): ReturnType<Metrics['counter']> {
    const metric = this.#metric('counter', name, help)
    return {
      add: (count = 1, labels = {}) => {
        if (!(count >= 0)) throw new RangeError(`the counter ${name} cannot go back: ${count}`)
        this.#cell(metric, labels).value += count
      }
    }
  }

  /** The same name gives the same gauge. Throws a `TypeError` for a bad name, or one that is a counter already. */
  gauge(name: string, help: string): ReturnType<Metrics['gauge']> {
    const metric = this.#metric('gauge', name, help)
    return {
      set: (value, labels = {}) => {
        this.#cell(metric, labels).value = value
      }
    }
  }

  collect(read: () => void): () => void {
    if (typeof read !== 'function') throw new TypeError('what collects metrics is a function')
    // Wrapped: the same function may be given twice.
    const entry = { read }
    this.#reads.add(entry)
    return () => this.#reads.delete(entry)
  }

  snapshot(): MetricSnapshot[] {
    for (const { read } of this.#reads) read()
    return [...this.#metrics].map(([name, { type, help, values }]) => ({
      name,
      type,
      help,
      values: [...values.values()].map(({ labels, value }) => ({ labels, value }))
    }))
  }

  #metric(type: Metric['type'], name: string, help: string): Metric {
    const there = this.#metrics.get(name)
    if (there !== undefined) {
      if (there.type !== type) throw new TypeError(`the metric ${name} is a ${there.type} already`)
      return there
    }
    if (!namePattern.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a name for a metric`)
    const metric: Metric = { type, help, values: new Map() }
    this.#metrics.set(name, metric)
    return metric
  }

  #cell(metric: Metric, labels: Labels): { value: number } {
    const full = metric.values.size >= maxLabelSets && !metric.values.has(keyOf(labels))
    const kept = full ? {} : labels
    const key = keyOf(kept)
    let cell = metric.values.get(key)
    if (cell === undefined) {
      cell = { labels: Object.freeze({ ...kept }), value: 0 }
      metric.values.set(key, cell)
    }
    return cell
  }
}
