import type { Accept } from './answers.js'
import { type GuardHost, guardPromise, guardSync } from './guard.js'
import type { Tap } from './tap.js'

type Called<Context, Answer> = (context: Context) => Answer | undefined | Promise<Answer | undefined>

/**
 * The taps of a hook that is called for each request: in turn, until one answers or fails. A promise is made where a tap is
 * asynchronous, or has something to say.
 */
export class RequestTaps<Context, Answer> {
  readonly #taps: readonly Called<Context, Answer>[]
  readonly #asynchronous: boolean

  constructor(taps: readonly Tap[], host: GuardHost, accept: Accept) {
    this.#taps = taps.map(
      (tap) => (tap.promise ? guardPromise(tap, host, accept) : guardSync(tap, host, accept)) as Called<Context, Answer>
    )
    this.#asynchronous = taps.some(({ promise }) => promise)
  }

  /** Whether there is a tap. */
  get used(): boolean {
    return this.#taps.length > 0
  }

  /** `undefined` at once when no tap is asynchronous and none has an answer. */
  call(context: Context): Promise<Answer | undefined> | undefined {
    if (this.#asynchronous) return this.#await(context)
    try {
      for (const tap of this.#taps) {
        const answer = tap(context)
        if (answer !== undefined) return Promise.resolve(answer)
      }
    } catch (error) {
      return Promise.reject(error)
    }
    return undefined
  }

  async #await(context: Context): Promise<Answer | undefined> {
    for (const tap of this.#taps) {
      const answer = await tap(context)
      if (answer !== undefined) return answer
    }
    return undefined
  }
}
