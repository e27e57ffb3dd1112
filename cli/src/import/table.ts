import { RystraError } from '@rystra/model'
import type { Lines } from './locate.js'
import type { Note } from './note.js'

/** What all tables of one source share. */
export interface Source {
  /** File name, or `chisel`. */
  readonly name: string
  readonly lines: Lines
  readonly notes: Note[]
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

/**
 * A table of a peer's configuration. Callers note each entry that they read; {@link finish} notes all others as entries
 * without an equivalent, so that none is lost in silence.
 */
export class Table {
  readonly #noted = new Set<string>()

  constructor(
    readonly source: Source,
    readonly value: Readonly<Record<string, unknown>>,
    readonly path = ''
  ) {}

  /** The value of a key that may have dots: `transport.tls.enable`. Undefined where it is not set. */
  raw(key: string): unknown {
    let at: unknown = this.value
    for (const name of key.split('.')) {
      if (!isTable(at) || !Object.hasOwn(at, name)) return undefined
      at = at[name]
    }
    return at
  }

  string(key: string): string | undefined {
    return this.#typed(key, 'text', (value) => typeof value === 'string')
  }

  /** Text, not empty. */
  text(key: string): string | undefined {
    const value = this.string(key)
    return value === '' ? undefined : value
  }

  number(key: string): number | undefined {
    return this.#typed(key, 'a number', (value) => typeof value === 'number')
  }

  boolean(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (value) => typeof value === 'boolean')
  }

  /** A list of text; one text is a list of one. */
  texts(key: string): string[] | undefined {
    const value = this.raw(key)
    if (typeof value === 'string') return [value]
    return this.#typed(key, 'a list of text', (list) => Array.isArray(list) && list.every((v) => typeof v === 'string'))
  }

  /** A table of text: headers, for example. */
  record(key: string): Record<string, string> | undefined {
    return this.#typed(
      key,
      'a table of text',
      (table) => isTable(table) && Object.values(table).every((v) => typeof v === 'string')
    )
  }

  table(key: string): Table | undefined {
    const value = this.#typed<Record<string, unknown>>(key, 'a table', isTable)
    return value === undefined ? undefined : new Table(this.source, value, this.#at(key))
  }

  /** The tables of a list. */
  tables(key: string): Table[] {
    const list = this.#typed<Record<string, unknown>[]>(
      key,
      'a list of tables',
      (v) => Array.isArray(v) && v.every(isTable)
    )
    return (list ?? []).map((value, i) => new Table(this.source, value, `${this.#at(key)}[${i}]`))
  }

  /** Notes what became of an entry, if the entry is set. */
  note(key: string, outcome: Note['outcome'], text: string): void {
    if (this.raw(key) !== undefined) this.#put(key, outcome, text)
  }

  #put(key: string, outcome: Note['outcome'], text: string): void {
    if (this.#noted.has(key)) return
    this.#noted.add(key)
    const path = this.#at(key)
    this.source.notes.push({ ...this.#line(path), key: path, outcome, text })
  }

  same(key: string, becomes: string): void {
    this.note(key, 'same', becomes)
  }

  /** Notes all entries that were not noted. `reasons` are by key, or by the first part of one: `webServer`. */
  finish(reasons: Readonly<Record<string, string>>, skip: readonly string[] = []): void {
    for (const key of this.#leaves(this.value, '')) {
      const parts = key.replaceAll(/\[\d+\]/g, '').split('.')
      const prefixes = parts.map((_, i) => parts.slice(0, i + 1).join('.'))
      if (prefixes.some((prefix) => this.#noted.has(prefix) || skip.includes(prefix))) continue
      const reason = prefixes
        .toReversed()
        .map((prefix) => reasons[prefix])
        .find((text) => text !== undefined)
      this.#put(key, 'none', reason ?? 'not known here')
    }
  }

  /** Notes all entries that were not noted as left out, with one reason. */
  leaveOut(reason: string): void {
    for (const key of this.#leaves(this.value, '')) this.#put(key, 'none', reason)
  }

  #at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`
  }

  /** The line of an entry, or of the table that it is in. */
  #line(path: string): { line?: number } {
    for (let at = path; at !== ''; at = at.replace(/(?:^|\.)[^.[\]]*$|\[\d+\]$/, '')) {
      const line = this.source.lines.get(at)
      if (line !== undefined) return { line }
    }
    return {}
  }

  #leaves(value: Readonly<Record<string, unknown>>, prefix: string): string[] {
    return Object.entries(value).flatMap(([name, inner]) => {
      const key = `${prefix}${name}`
      if (Array.isArray(inner) && inner.length > 0 && inner.every(isTable))
        return inner.flatMap((item, i) => this.#leaves(item, `${key}[${i}].`))
      return isTable(inner) && Object.keys(inner).length > 0 ? this.#leaves(inner, `${key}.`) : [key]
    })
  }

  #typed<T>(key: string, expected: string, is: (value: unknown) => boolean): T | undefined {
    const value = this.raw(key)
    if (value === undefined || value === null) return undefined
    if (is(value)) return value as T
    throw this.invalid(key, `expected ${expected}`)
  }

  /** An error at an entry. */
  invalid(key: string, problem: string): RystraError {
    const path = this.#at(key)
    const { line } = this.#line(path)
    return new RystraError('config.invalid', {
      detail: `${this.source.name}${line === undefined ? '' : `, line ${line}`}: ${path}: ${problem}`,
      hint: 'correct the entry, or take it out'
    })
  }
}
