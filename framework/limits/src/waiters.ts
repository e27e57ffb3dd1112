import { RystraError } from '@rystra/model'

/** Options of {@link Waiters}. */
export interface WaitersOptions {
  /** Milliseconds that one call waits. */
  readonly timeout: number
  /** The error of a call that waited that long. */
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

/** Calls that wait for a resource of the peer, such as room for one more stream. First come, first served. */
export class Waiters<Given = void> {
  readonly #options: WaitersOptions
  /** Made with the first one: most sessions have none. */
  #waiters: Set<Waiter<Given>> | undefined

  constructor(options: WaitersOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#waiters?.size ?? 0
  }

  /** Resolves to what `take` makes of the resource. Rejects after the timeout, and with `stream.reset` when aborted. */
  wait<Taken>(take: (given: Given) => Taken, signal: AbortSignal | undefined): Promise<Taken> {
    const { timeout, late, after = byTimer } = this.#options
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiters?.delete(waiter)
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
      const aborted = (): void => waiter.refuse(new RystraError('stream.reset', { detail: 'aborted' }))
      const cancel = after(timeout, () => waiter.refuse(late()))
      signal?.addEventListener('abort', aborted, { once: true })
      this.#waiters ??= new Set()
      this.#waiters.add(waiter)
    })
  }

  /** Gives the resource to the call that has waited longest. Returns whether there was one. */
  serve(given: Given): boolean {
    const [first] = this.#waiters ?? []
    first?.take(given)
    return first !== undefined
  }

  /** Rejects all waiting calls. */
  refuse(error: Error): void {
    for (const waiter of [...(this.#waiters ?? [])]) waiter.refuse(error)
  }
}
