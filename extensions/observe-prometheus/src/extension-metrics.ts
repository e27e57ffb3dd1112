import type { Metrics } from '@rystra/plugin'
import type { Exposition } from './exposition.js'
import { SeriesTable } from './series.js'

/** Counters and gauges that extensions made. */
export const renderExtensionMetrics = async (metrics: Metrics, out: Exposition, maxSeries: number): Promise<void> => {
  for (const { name, type, help, values } of metrics.snapshot()) {
    const table = new SeriesTable<'value'>(maxSeries)
    for (const { labels, value } of values) table.add(labels, { value })
    await out.metrics(table, [[name, type, help, 'value']])
  }
}
