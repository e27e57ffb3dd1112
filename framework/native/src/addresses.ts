import type { Binding } from './binding.js'
import { COLUMNS, ROW } from './rows.js'

/** Addresses that are kept in each direction. */
const MAX_KNOWN = 4096

/** Translates between addresses as text and as numbers of a row. */
export class Addresses {
  readonly #binding: Binding
  readonly #parsed = new Map<string, Int32Array>()
  readonly #texts = new Map<number, string>()
  /** The last address: datagrams often come and go in runs. */
  #host: string | undefined
  #row: Int32Array = new Int32Array(COLUMNS)
  readonly #from = new Int32Array(COLUMNS)
  #text = ''

  constructor(binding: Binding) {
    this.#binding = binding
  }

  /** Writes family, address and scope into the row at `at`. `false` if `host` is no IP address. */
  write(host: string, rows: Int32Array, at: number): boolean {
    if (host !== this.#host) {
      const row = this.#parsed.get(host) ?? this.#parse(host)
      if (row === undefined) return false
      this.#host = host
      this.#row = row
    }
    const row = this.#row
    rows[at + ROW.family] = row[ROW.family] as number
    for (let column: number = ROW.address; column < COLUMNS; column += 1) rows[at + column] = row[column] as number
    return true
  }

  #parse(host: string): Int32Array | undefined {
    const row = new Int32Array(COLUMNS)
    if (!this.#binding.parse(host, row)) return undefined
    if (this.#parsed.size === MAX_KNOWN) this.#parsed.clear()
    this.#parsed.set(host, row)
    return row
  }

  /** The address of the row at `at`. */
  read(rows: Int32Array, at: number): string {
    const from = this.#from
    let same = rows[at + ROW.family] === from[ROW.family]
    for (let column: number = ROW.address; same && column < COLUMNS; column += 1)
      same = rows[at + column] === from[column]
    if (same) return this.#text
    for (let column = 0; column < COLUMNS; column += 1) from[column] = rows[at + column] as number
    this.#text = from[ROW.family] === 4 ? this.#ipv4(from[ROW.address] as number) : this.#binding.format(rows, at)
    return this.#text
  }

  /** The bytes of the word are in network order, on processors whose words begin with the lowest byte. */
  #ipv4(word: number): string {
    const known = this.#texts.get(word)
    if (known !== undefined) return known
    const text = `${word & 255}.${(word >>> 8) & 255}.${(word >>> 16) & 255}.${word >>> 24}`
    if (this.#texts.size === MAX_KNOWN) this.#texts.clear()
    this.#texts.set(word, text)
    return text
  }
}
