import { RystraError } from '@rystra/model'
import type { Clock } from '@rystra/plugin'

/**
 * Milliseconds without an answer to any request, after which the server counts as broken: some times what it takes to ask
 * the holder of a port, and slow hooks.
 */
const ANSWER_TIMEOUT_MS = 60_000

interface Request {
  readonly resolve: (address: string) => void
  readonly reject: (error: RystraError) => void
}

/** Requests of one session that the server has not answered. */
export class Requests {
  readonly #clock: Clock
  readonly #onTimeout: (error: RystraError) => void
  readonly #pending = new Map<number, Request>()
  #last = -1
  #cancelWait: (() => void) | undefined

  /** @param onTimeout called when the server does not answer */
  constructor(clock: Clock, onTimeout: (error: RystraError) => void) {
    this.#clock = clock
    this.#onTimeout = onTimeout
  }

  /** Resolves to the public address; rejects with what the server says, or `send` throws. */
  ask(send: (request: number) => void): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#last += 1
      const request = this.#last
      this.#pending.set(request, { resolve, reject })
      if (this.#cancelWait === undefined) this.#wait()
      try {
        send(request)
      } catch (error) {
        this.#pending.delete(request)
        reject(error as RystraError)
      }
    })
  }

  answered(request: number, outcome: string | RystraError): void {
    const pending = this.#pending.get(request)
    this.#pending.delete(request)
    this.#wait()
    if (typeof outcome === 'string') pending?.resolve(outcome)
    else pending?.reject(outcome)
  }

  /** There will be no answers any more. */
  end(error: RystraError): void {
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
    this.#wait()
  }

  /** Each answer gives the others more time. */
  #wait(): void {
    this.#cancelWait?.()
    this.#cancelWait = undefined
    if (this.#pending.size === 0) return
    this.#cancelWait = this.#clock.after(ANSWER_TIMEOUT_MS, () =>
      this.#onTimeout(
        new RystraError('protocol.timeout', { side: 'server', detail: 'it does not answer for its proxies' })
      )
    )
  }
}
