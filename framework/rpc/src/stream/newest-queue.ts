/** Options of {@link NewestQueue}. */
export interface NewestQueueOptions {
  /** @default 64 */
  readonly maxMessages?: number
  /** @default 1048576 */
  readonly maxBytes?: number
  /** Milliseconds after which a message is not worth sending. @default 1000 */
  readonly maxAge?: number
}

interface Queued<Data> {
  readonly data: Data
  readonly bytes: number
  readonly at: number
}

/**
 * What waits for a stream that cannot take it, where datagrams are missing: new messages push out old ones, so that a slow
 * peer gets what is of use now. Bounded in messages, bytes and age.
 */
export class NewestQueue<Data> {
  readonly #maxMessages: number
  readonly #maxBytes: number
  readonly #maxAge: number
  readonly #queue: Queued<Data>[] = []
  #bytes = 0
  #dropped = 0

  constructor({ maxMessages = 64, maxBytes = 1_048_576, maxAge = 1000 }: NewestQueueOptions = {}) {
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
    this.#maxAge = maxAge
  }

  get size(): number {
    return this.#queue.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Messages that were not sent. */
  get dropped(): number {
    return this.#dropped
  }

  /** @param now milliseconds, by any one clock */
  push(data: Data, bytes: number, now: number): void {
    if (bytes > this.#maxBytes) {
      this.#dropped++
      return
    }
    this.#queue.push({ data, bytes, at: now })
    this.#bytes += bytes
    while (this.#queue.length > this.#maxMessages || this.#bytes > this.#maxBytes) this.#drop()
  }

  /** The oldest that is still worth sending. */
  shift(now: number): Data | undefined {
    for (let [first] = this.#queue; first !== undefined; [first] = this.#queue) {
      if (now - first.at > this.#maxAge) this.#drop()
      else {
        this.#remove()
        return first.data
      }
    }
    return undefined
  }

  #drop(): void {
    this.#remove()
    this.#dropped++
  }

  #remove(): void {
    this.#bytes -= this.#queue.shift()?.bytes ?? 0
  }
}
