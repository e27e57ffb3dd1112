import { RystraError } from '@rystra/plugin'

interface Waiter {
  open(): void
  refuse(error: Error): void
}

/** Streams that wait until the other side allows one more (MAX_STREAMS, RFC 9000 section 4.6). */
export class Waiting {
  readonly #timeout: number
  readonly #admits: () => boolean
  readonly #waiters = new Set<Waiter>()

  /** @param timeout milliseconds a stream may wait */
  constructor(timeout: number, admits: () => boolean) {
    this.#timeout = timeout
    this.#admits = admits
  }

  get size(): number {
    return this.#waiters.size
  }

  /** Calls `open` as soon as one more stream may be opened, at once if possible. Rejects with `stream.timeout`. */
  turn<Opened>(open: () => Opened, signal: AbortSignal | undefined): Promise<Opened> {
    if (this.#waiters.size === 0 && this.#admits()) return Promise.resolve(open())
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiters.delete(waiter)
        clearTimeout(timer)
        signal?.removeEventListener('abort', aborted)
      }
      const waiter: Waiter = {
        open: () => {
          done()
          resolve(open())
        },
        refuse: (error) => {
          done()
          reject(error)
        }
      }
      const aborted = (): void => waiter.refuse(new RystraError('stream.reset', { detail: 'given up' }))
      const late = (): void =>
        waiter.refuse(new RystraError('stream.timeout', { detail: 'the other side allows no more streams' }))
      const timer = setTimeout(late, this.#timeout)
      signal?.addEventListener('abort', aborted, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /** More may be allowed now. */
  look(): void {
    for (const waiter of this.#waiters) {
      if (!this.#admits()) return
      waiter.open()
    }
  }

  refuse(error: Error): void {
    for (const waiter of [...this.#waiters]) waiter.refuse(error)
  }
}
