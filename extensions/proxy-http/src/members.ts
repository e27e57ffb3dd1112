import type { Claim, VisitorInfo } from '@rystra/plugin'
import type { HttpProxy } from './proxy.js'

/** Milliseconds a member of a group has to reach its service: then another is asked, and the visitor has lost little. */
const PATIENCE = 5000

/** The member of a group that a request goes to, and then those that it goes to instead. */
export class Members {
  readonly #claim: Claim<HttpProxy>
  readonly #visitor: VisitorInfo
  readonly #tried: Set<HttpProxy>
  #proxy: HttpProxy

  constructor(claim: Claim<HttpProxy>, first: HttpProxy, visitor: VisitorInfo) {
    this.#claim = claim
    this.#visitor = visitor
    this.#proxy = first
    this.#tried = new Set([first])
  }

  /** Whose turn it is. */
  get proxy(): HttpProxy {
    return this.#proxy
  }

  /** Milliseconds this one has; `undefined` where it has as many as any. */
  get patience(): number | undefined {
    return this.#claim.size > this.#tried.size ? PATIENCE : undefined
  }

  /**
   * Another that takes the request as it was made ready for the first: one that asks for a password, say, or has heads
   * changed in another way, does not. `undefined` when there is none.
   */
  next(): HttpProxy | undefined {
    for (;;) {
      const next = this.#claim.pick(this.#visitor, this.#tried)
      if (next === undefined) return undefined
      this.#tried.add(next)
      if (next.form !== this.#proxy.form) continue
      this.#proxy = next
      return next
    }
  }
}
