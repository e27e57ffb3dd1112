import { RystraError } from '@rystra/model'

/** How long somebody waits, and what then. */
export interface WaitersOptions {
  /** Milliseconds. */
  readonly timeout: number
  readonly late: () => Error
  /** Calls `fn` once after so many milliseconds, unless the returned function is called first. @default setTimeout */
  readonly after?: (ms: number, fn: () => void) => () => void
}

interface Waiter<Given> {
  readonly take: (given: Given) => void
  readonly refuse: (error: Error) => void
}

const byTimer = (ms: number, fn: () => void): (() => void) => {
  const timer = setTimeout(fn, ms)
  return () => clearTimeout(timer)
}

/** Those who wait until the other side makes room for one more stream, or sends what to open it on. First come, first served. */
export class Waiters<Given = void> {
  readonly #options: WaitersOptions
  readonly #waiters = new Set<Waiter<Given>>()

  constructor(options: WaitersOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#waiters.size
  }

  /** Answers what `take` makes of what is given. Rejects when that takes too long, and with `stream.reset` when aborted. */
  wait<Taken>(take: (given: Given) => Taken, signal: AbortSignal | undefined): Promise<Taken> {
    const { timeout, late, after = byTimer } = this.#options
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiters.delete(waiter)
        cancel()
        signal?.removeEventListener('abort', aborted)
      }
      const waiter: Waiter<Given> = {
        take: (given) => {
          done()
          resolve(take(given))
        },
        refuse: (error) => {
          done()
          reject(error)
        }
      }
      const aborted = (): void => waiter.refuse(new RystraError('stream.reset', { detail: 'given up' }))
      const cancel = after(timeout, () => waiter.refuse(late()))
      signal?.addEventListener('abort', aborted, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /** Gives to who has waited longest. Answers whether anybody has. */
  serve(given: Given): boolean {
    const [first] = this.#waiters
    first?.take(given)
    return first !== undefined
  }

  /** All that wait are told why they wait in vain. */
  refuse(error: Error): void {
    for (const waiter of [...this.#waiters]) waiter.refuse(error)
  }
}
