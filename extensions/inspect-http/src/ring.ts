import type { ObservedRequest } from '@rystra/plugin'
import { randomBytes } from 'node:crypto'
import { Exchange } from './exchange.js'

/** The bounds of a {@link Ring}. */
export interface RingOptions {
  readonly exchanges: number
  readonly memory: number
  readonly body: number
}

/** The last exchanges, bounded by their number and their memory: the oldest go first. Outlives reloads. */
export class Ring {
  options: RingOptions
  readonly #clock: () => number
  readonly #exchanges = new Map<string, Exchange>()
  readonly #readers = new Set<(exchange: Exchange) => void>()
  /** Random: ids of one run mean nothing in another. */
  readonly #run = randomBytes(3).toString('hex')
  #next = 1
  #bytes = 0

  constructor(options: RingOptions, clock: () => number) {
    this.options = options
    this.#clock = clock
  }

  /** Bytes of memory that are taken. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#exchanges.size
  }

  /** Begins with a request. */
  add(request: ObservedRequest, replayOf?: string): Exchange {
    const id = `${this.#run}-${this.#next}`
    this.#next += 1
    const exchange = new Exchange(id, request, {
      body: this.options.body,
      clock: this.#clock,
      replayOf,
      changed: (one, bytes) => this.#changed(one, bytes)
    })
    this.#exchanges.set(id, exchange)
    this.#bytes += exchange.size
    this.#trim()
    return exchange
  }

  get(id: string): Exchange | undefined {
    return this.#exchanges.get(id)
  }

  /** The newest first. */
  all(): Exchange[] {
    return [...this.#exchanges.values()].reverse()
  }

  clear(): void {
    this.#exchanges.clear()
    this.#bytes = 0
  }

  /** Calls `reader` with each exchange that ends. Returns what ends that. */
  read(reader: (exchange: Exchange) => void): () => void {
    this.#readers.add(reader)
    return () => this.#readers.delete(reader)
  }

  #changed(exchange: Exchange, bytes: number): void {
    // One that is gone already costs nothing here.
    if (bytes > 0 && this.#exchanges.get(exchange.id) === exchange) {
      this.#bytes += bytes
      this.#trim()
    }
    if (exchange.over) for (const reader of this.#readers) reader(exchange)
  }

  #trim(): void {
    for (const [id, exchange] of this.#exchanges) {
      if (this.#exchanges.size <= this.options.exchanges && this.#bytes <= this.options.memory) return
      this.#exchanges.delete(id)
      this.#bytes -= exchange.size
    }
  }
}
