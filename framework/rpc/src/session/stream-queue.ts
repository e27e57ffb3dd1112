/** Messages that wait for their reader, with what to do when they are many. */
export class StreamQueue<Data> {
  readonly #events: { onRoom(): void }
  readonly #limit: number
  #items: { data: Data; bytes: number }[] = []
  #bytes = 0
  #waiters: { resolve(data: Data | undefined): void; reject(error: Error): void }[] = []
  #ended = false
  #error: Error | undefined

  /** @param events `onRoom` is called when half of `limit` is free again, after {@link push} answered `false` */
  constructor(limit: number, events: { onRoom(): void }) {
    this.#limit = limit
    this.#events = events
  }

  get size(): number {
    return this.#items.length
  }

  /** Answers whether there is room for more. */
  push(data: Data, bytes: number): boolean {
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) {
      waiter.resolve(data)
      return true
    }
    // Each message counts for something, so that empty ones are bounded too.
    const size = bytes + 64
    this.#items.push({ data, bytes: size })
    this.#bytes += size
    return this.#bytes < this.#limit
  }

  /** The oldest, when there is one; drops it. */
  shift(): Data | undefined {
    const item = this.#items.shift()
    if (item === undefined) return undefined
    const before = this.#bytes
    this.#bytes -= item.bytes
    if (before > this.#limit / 2 && this.#bytes <= this.#limit / 2) this.#events.onRoom()
    return item.data
  }

  /** The next; `undefined` at the end. Rejects with the error that it ended with. */
  take(): Promise<Data | undefined> {
    if (this.#items.length > 0) return Promise.resolve(this.shift())
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#ended) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /** Nothing more comes. What waits is still given out, unless there was an error. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    if (error !== undefined) this.#items = []
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      if (error === undefined) resolve(undefined)
      else reject(error)
    }
  }
}
