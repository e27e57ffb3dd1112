import type { StreamMessage } from './stream-frames.js'

/** What a {@link StreamQueue} needs of its inbox. */
export interface QueueEvents {
  /** Half of the limit is free again, after {@link StreamQueue.push} answered `false`. */
  onRoom(): void
  /** Whether a message may be given to a reader; it is dropped otherwise. A throw is the reader's. */
  admits(data: unknown): boolean
}

interface Waiter {
  /** Makes of the data what the reader asked for. */
  form(data: unknown): unknown
  resolve(formed: unknown): void
  reject(error: Error): void
}

/** Messages that wait for their reader, or readers that wait for a message. */
export class StreamQueue {
  readonly #events: QueueEvents
  readonly #limit: number
  #items: StreamMessage[] | undefined
  #bytes = 0
  /** One, as a rule; the rest in their order. */
  #waiter: Waiter | undefined
  #moreWaiters: Waiter[] | undefined
  #ended = false
  #error: Error | undefined

  constructor(limit: number, events: QueueEvents) {
    this.#limit = limit
    this.#events = events
  }

  get size(): number {
    return this.#items?.length ?? 0
  }

  /** Answers whether there is room for more. */
  push(message: StreamMessage): boolean {
    const waiter = this.#waiter
    if (waiter !== undefined) {
      this.#serve(waiter, message.data)
      return true
    }
    this.#items ??= []
    this.#items.push(message)
    this.#bytes += sizeOf(message)
    return this.#bytes < this.#limit
  }

  #serve(waiter: Waiter, data: unknown): void {
    try {
      if (!this.#events.admits(data)) return
      this.#nextWaiter()
      waiter.resolve(waiter.form(data))
    } catch (error) {
      // The stream may have ended with it: then it was rejected so.
      if (this.#waiter === waiter) this.#nextWaiter()
      waiter.reject(error as Error)
    }
  }

  #nextWaiter(): void {
    this.#waiter = this.#moreWaiters?.shift()
    if (this.#moreWaiters?.length === 0) this.#moreWaiters = undefined
  }

  /** The oldest, when there is one; drops it. */
  shift(): StreamMessage | undefined {
    const message = this.#items?.shift()
    if (message === undefined) return undefined
    const before = this.#bytes
    this.#bytes -= sizeOf(message)
    if (before > this.#limit / 2 && this.#bytes <= this.#limit / 2) this.#events.onRoom()
    return message
  }

  /** The data of the next in the form asked for; `undefined` at the end. Rejects with the error that it ended with. */
  take<Formed>(form: (data: unknown) => Formed): Promise<Formed> {
    try {
      for (let next = this.shift(); next !== undefined; next = this.shift()) {
        if (this.#events.admits(next.data)) return Promise.resolve(form(next.data))
      }
    } catch (error) {
      return Promise.reject(error as Error)
    }
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#ended) return Promise.resolve(form(undefined))
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { form, resolve: resolve as Waiter['resolve'], reject }
      if (this.#waiter === undefined) this.#waiter = waiter
      else {
        this.#moreWaiters ??= []
        this.#moreWaiters.push(waiter)
      }
    })
  }

  /** Nothing more comes. What waits is still given out, unless there was an error. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    if (error !== undefined) this.#items = undefined
    for (let waiter = this.#waiter; waiter !== undefined; waiter = this.#waiter) {
      this.#nextWaiter()
      if (error === undefined) waiter.resolve(waiter.form(undefined))
      else waiter.reject(error)
    }
  }
}

/** Each message counts for something, so that empty ones are bounded too. */
const sizeOf = ({ bytes }: StreamMessage): number => bytes + 64
