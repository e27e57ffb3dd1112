/** Labels of one series. */
export type Labels = Readonly<Record<string, string>>

const escaped: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

/** `a="b",c="d"`, as the exposition format has it. */
export const labelText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll(/[\\"\n]/g, (char) => escaped[char] ?? char)}"`)
    .join(',')

/** The label set under which all are summed that have no place of their own. */
const overflow = 'overflow="true"'

/**
 * Series with the same label names, and several numbers each. Equal label sets are summed; above the limit a new one is
 * summed under {@link overflow}, so that no peer can make the number of series grow without bound.
 */
export class SeriesTable<Column extends string> {
  readonly rows = new Map<string, Record<Column, number>>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  add(labels: Labels, values: Readonly<Record<Column, number>>): void {
    let key = labelText(labels)
    if (!this.rows.has(key) && this.rows.size - (this.rows.has(overflow) ? 1 : 0) >= this.#limit) key = overflow
    const row = this.rows.get(key)
    if (row === undefined) {
      this.rows.set(key, { ...values })
      return
    }
    for (const column of Object.keys(values) as Column[]) row[column] += values[column]
  }
}
