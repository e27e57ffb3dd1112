import { TokenBucket } from '@rystra/limits'
import type { Clock } from '@rystra/plugin'
import { BoundedMap } from './bounded-map.js'
import { holds, type Occasion, type Proof } from './proof.js'

/** Wrong secrets of one session at once: a mistake in a configuration is not an attack. */
const WRONG_AT_ONCE = 10

/** Seconds until there may be one more: 14,400 guesses a day do not find what is worth the name. */
const SECONDS_EACH = 6

/** Sessions that are counted; one that is forgotten is a new one. */
const SESSIONS = 4096

/** Proofs that are remembered, so that nobody on the way uses one twice. */
const PROOFS = 16_384

/** Why somebody is not let in; for the log of this side. */
export type Reason = 'no proof' | 'a wrong secret' | 'too many wrong secrets' | 'a proof that was used before'

/** Who may come to one service: those who show that they know its secret. */
export class Door {
  readonly #clock: Clock
  /** By session: others, of the same identity even, come in as before. */
  readonly #wrong = new BoundedMap<TokenBucket>(SESSIONS)
  /** With the key that they have shown: another one is theirs to show again. */
  readonly #trusted = new BoundedMap<Buffer>(SESSIONS)
  readonly #used = new BoundedMap<true>(PROOFS)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `undefined`: come in. */
  refuses(key: Buffer, occasion: Occasion, proof: Proof | undefined): Reason | undefined {
    const { session } = occasion
    const trusted = this.#trusted.get(session) === key
    // Not even a right one counts then: else it would be found all the same.
    if (!trusted && (this.#wrong.get(session)?.tokens(this.#clock.now()) ?? 1) < 1) return 'too many wrong secrets'
    if (proof === undefined || !holds(key, occasion, proof)) {
      this.#count(session)
      return proof === undefined ? 'no proof' : 'a wrong secret'
    }
    if (this.#used.has(proof.nonce)) return 'a proof that was used before'
    this.#used.set(proof.nonce, true)
    this.#trusted.set(session, key)
    return undefined
  }

  #count(session: string): void {
    const now = this.#clock.now()
    const bucket = this.#wrong.get(session) ?? new TokenBucket(1 / SECONDS_EACH, WRONG_AT_ONCE, now)
    this.#wrong.set(session, bucket)
    bucket.spend(1, now)
  }
}
