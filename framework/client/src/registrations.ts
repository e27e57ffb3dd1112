import { RystraError } from '@rystra/model'
import type { Clock } from '@rystra/plugin'

/**
 * Milliseconds without an answer to anything that was asked, after which the server counts as broken: some times what it
 * takes to ask the holder of a port, and slow hooks.
 */
const ANSWER_TIMEOUT = 60_000

interface Asked {
  readonly name: string
  readonly resolve: (address: string) => void
  readonly reject: (error: RystraError) => void
}

/** What one session has asked the server to publish, and has no answer for. */
export class Registrations {
  readonly #clock: Clock
  readonly #onSilence: (error: RystraError) => void
  readonly #asked = new Map<number, Asked>()
  /** The last request for each name. */
  readonly #names = new Map<string, number>()
  #requests = 0
  #cancelWait: (() => void) | undefined

  /** @param onSilence called when the server does not answer */
  constructor(clock: Clock, onSilence: (error: RystraError) => void) {
    this.#clock = clock
    this.#onSilence = onSilence
  }

  /** Asks by `send`. Resolves to the public address; rejects with what the server says, or `send` throws. */
  ask(name: string, send: (request: number) => void): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = this.#requests++
      this.#asked.set(request, { name, resolve, reject })
      this.#names.set(name, request)
      if (this.#cancelWait === undefined) this.#wait()
      try {
        send(request)
      } catch (error) {
        this.#take(request)
        reject(error as RystraError)
      }
    })
  }

  /** Whether something was asked for under this name, and not answered yet. */
  has(name: string): boolean {
    return this.#names.has(name)
  }

  answered(request: number, outcome: string | RystraError): void {
    const asked = this.#take(request)
    this.#wait()
    if (typeof outcome === 'string') asked?.resolve(outcome)
    else asked?.reject(outcome)
  }

  /** There will be no answers any more. */
  end(error: RystraError): void {
    for (const { reject } of this.#asked.values()) reject(error)
    this.#asked.clear()
    this.#names.clear()
    this.#wait()
  }

  #take(request: number): Asked | undefined {
    const asked = this.#asked.get(request)
    this.#asked.delete(request)
    if (asked !== undefined && this.#names.get(asked.name) === request) this.#names.delete(asked.name)
    return asked
  }

  /** Each answer gives the others more time. */
  #wait(): void {
    this.#cancelWait?.()
    this.#cancelWait = undefined
    if (this.#asked.size === 0) return
    this.#cancelWait = this.#clock.after(ANSWER_TIMEOUT, () =>
      this.#onSilence(
        new RystraError('protocol.timeout', { side: 'server', detail: 'it does not answer for its proxies' })
      )
    )
  }
}
