import type { SeriesTable } from './series.js'

export type MetricType = 'counter' | 'gauge' | 'summary'

/** Media type of the text that is rendered. */
export const contentType = 'text/plain; version=0.0.4; charset=utf-8'

/** Series that are rendered between two turns of the event loop. */
const SERIES_PER_TURN = 500

/** Lets other work of the process run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const numberText = (value: number): string => {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

/** One line: `name{labels} value`. */
const line = (name: string, labels: string, value: number): string =>
  `${name}${labels === '' ? '' : `{${labels}}`} ${numberText(value)}\n`

/**
 * Several columns as one metric, each with labels of its own (`direction="to_service"`), or, where these begin with an
 * underscore, with a suffix of the name (`_sum`).
 */
type Columns<Column> = readonly (readonly [label: string, column: Column, scale?: number])[]

/** One metric of a table. */
export type TableMetric<Column> = readonly [name: string, type: MetricType, help: string, of: Column | Columns<Column>]

/** A text that grows in pieces, and lets the event loop turn between them. */
export class Exposition {
  readonly pieces: string[] = []
  #text = ''
  #series = 0

  /** The two lines before the series of a metric. */
  head(name: string, type: MetricType, help: string): void {
    const words = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
    this.#text += `# HELP ${name} ${words}\n# TYPE ${name} ${type}\n`
  }

  /** One metric with one series. Left out where the value is not known. */
  single(name: string, type: MetricType, help: string, value: number | undefined, labels = ''): void {
    if (value === undefined) return
    this.head(name, type, help)
    this.#text += line(name, labels, value)
  }

  /** Metrics of one table: a column each, or several. */
  async metrics<Column extends string>(
    table: SeriesTable<Column>,
    metrics: readonly TableMetric<Column>[]
  ): Promise<void> {
    if (table.rows.size === 0) return
    for (const [name, type, help, of] of metrics) {
      this.head(name, type, help)
      await this.#rows(name, table, typeof of === 'string' ? ([['', of]] as const) : of)
    }
  }

  async #rows<Column extends string>(
    name: string,
    table: SeriesTable<Column>,
    columns: Columns<Column>
  ): Promise<void> {
    for (const [key, row] of table.rows) {
      for (const [label, column, scale = 1] of columns) {
        const suffix = label.startsWith('_')
        const labels = suffix || label === '' ? key : key === '' ? label : `${key},${label}`
        this.#text += line(suffix ? `${name}${label}` : name, labels, row[column] * scale)
      }
      this.#series += columns.length
      if (this.#series >= SERIES_PER_TURN) {
        this.#series = 0
        this.#cut()
        await turn()
      }
    }
  }

  /** All pieces. */
  end(): readonly string[] {
    this.#cut()
    return this.pieces
  }

  #cut(): void {
    if (this.#text !== '') this.pieces.push(this.#text)
    this.#text = ''
  }
}
