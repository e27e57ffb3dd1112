import { AssertionError } from 'node:assert'
import { setMaxListeners } from 'node:events'
import { nextCheck } from '../until.js'

/** Error of a case that times out. */
const waited = (what: string, ms: number): Error =>
  new AssertionError({ message: `timed out after ${ms} ms waiting for ${what}` })

/** Turns of the event loop in which a number that stands still has not changed. */
const STILL_CHECKS = 25

/** One run of one case: what it opened, and how long it waits for things. */
export class Scope {
  readonly #closers: (() => unknown)[] = []
  readonly #over = new AbortController()

  /** @param timeout milliseconds that any one thing may take. @default 15000 */
  constructor(readonly timeout = 15_000) {
    setMaxListeners(0, this.#over.signal)
  }

  /** Aborted when the run is over. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** Closes something when the run is over; last in, first out. */
  defer(close: () => unknown): void {
    this.#closers.push(close)
  }

  /** Waits for a promise, and says what for when it takes too long. */
  async wait<T>(promise: Promise<T> | T, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(waited(what, this.timeout)), this.timeout)
    })
    try {
      return await Promise.race([promise, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Waits until something holds. As long as `progress` changes it goes on to wait. */
  async until(holds: () => boolean, what: string, progress: () => number = () => 0): Promise<void> {
    let begin = performance.now()
    let seen = progress()
    for (let checks = 0; !holds(); checks++) {
      const now = progress()
      if (now !== seen) {
        begin = performance.now()
        checks = 0
      }
      seen = now
      if (performance.now() - begin > this.timeout) throw waited(what, this.timeout)
      await nextCheck(checks)
    }
  }

  /**
   * Waits until a number has not changed for some time and for some turns of the event loop: on a busy machine the time alone may pass
   * before anything ran.
   */
  async still(value: () => number, ms = 60): Promise<number> {
    let seen = value()
    let since = performance.now()
    for (let checks = 0; checks < STILL_CHECKS || performance.now() - since < ms; checks++) {
      await new Promise((resolve) => setTimeout(resolve, 2))
      const now = value()
      if (now === seen) continue
      seen = now
      since = performance.now()
      checks = 0
    }
    return seen
  }

  async close(): Promise<void> {
    this.#over.abort()
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        const closing = close()
        // what hangs here hung in the case as well, or is not what the case is about
        if (closing instanceof Promise) await this.wait(closing, 'something to be closed')
      } catch {
        // what cannot be closed any more is closed
      }
    }
  }
}

/** One turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Lets a short time pass, where a case is about being late. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
