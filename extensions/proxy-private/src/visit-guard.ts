import { BoundedMap, TokenBucket } from '@rystra/limits'
import type { Clock } from '@rystra/plugin'
import { holds, type VisitContext, type Proof } from './proof.js'

/** Burst of wrong secrets per session: a configuration mistake is not an attack. */
const MAX_WRONG = 10

/** Seconds per further attempt: 14,400 guesses a day do not find a proper secret. */
const SECONDS_EACH = 6

/** Maximum of counted sessions. */
const SESSIONS = 4096

/** Remembered proofs, so that none is replayed. */
const PROOFS = 16_384

/** The reason of a refusal, for the log of this side. */
export type Reason = 'no proof' | 'wrong secret' | 'too many wrong secrets' | 'replayed proof'

/** Admits the visits of one service whose proof shows that they know its secret. */
export class VisitGuard {
  readonly #clock: Clock
  /** Per session, so that other sessions of the identity are not affected. */
  readonly #wrong = new BoundedMap<string, TokenBucket>(SESSIONS)
  /** With the proved key: a changed one must be proved again. */
  readonly #trusted = new BoundedMap<string, Buffer>(SESSIONS)
  readonly #used = new BoundedMap<string, true>(PROOFS)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Checks a visit. `undefined`: admitted. */
  refuses(key: Buffer, visit: VisitContext, proof: Proof | undefined): Reason | undefined {
    const { session } = visit
    const trusted = this.#trusted.get(session) === key
    // Correct secrets are refused then, too: otherwise guessing would still find them.
    if (!trusted && (this.#wrong.get(session)?.tokens(this.#clock.now()) ?? 1) < 1) return 'too many wrong secrets'
    if (proof === undefined || !holds(key, visit, proof)) {
      this.#count(session)
      return proof === undefined ? 'no proof' : 'wrong secret'
    }
    if (this.#used.has(proof.nonce)) return 'replayed proof'
    this.#used.set(proof.nonce, true)
    this.#trusted.set(session, key)
    return undefined
  }

  #count(session: string): void {
    const now = this.#clock.now()
    const bucket = this.#wrong.get(session) ?? new TokenBucket(1 / SECONDS_EACH, MAX_WRONG, now)
    this.#wrong.set(session, bucket)
    bucket.spend(1, now)
  }
}
