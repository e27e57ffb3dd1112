import type { AuthAnswer, Authenticator, AuthRound, Challenge, Proof } from '@rystra/plugin'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { authenticatorKit, type AuthenticatorSubject } from '../../src/index.js'
import { killsMutants, type Mutant } from './mutant.js'

/** A shared key, HMAC over everything: no more than right. */
class SimpleAuthenticator implements Authenticator {
  method = 'simple'
  constructor(protected readonly key: string) {}

  protected over({ transcript, clientId, binding }: Challenge): string {
    return JSON.stringify([
      Buffer.from(transcript).toString('hex'),
      clientId,
      binding && Buffer.from(binding).toString('hex')
    ])
  }

  protected mac(what: string, challenge: Challenge): Buffer {
    return createHmac('sha256', this.key).update(what).update(this.over(challenge)).digest()
  }

  protected parts(challenge: Challenge): { confirm?: Uint8Array; secret?: Uint8Array } {
    return { confirm: this.mac('confirm', challenge), secret: this.mac('secret', challenge) }
  }

  prove(challenge: Challenge): Proof {
    return { proof: this.mac('proof', challenge) as Uint8Array, ...this.parts(challenge) }
  }

  verify(proof: Uint8Array, challenge: Challenge): AuthAnswer | AuthRound | Promise<AuthAnswer | AuthRound> {
    if (!this.mac('proof', challenge).equals(proof)) return { deny: 'the proof does not hold' }
    return { identity: { id: 'home' }, ...this.parts(challenge) }
  }
}

/** The same after a further challenge of the server, which the second proof covers. */
class TwoRounds extends SimpleAuthenticator {
  override prove(challenge: Challenge) {
    const next = (further: Uint8Array): Proof => super.prove(within(challenge, further))
    return { proof: Buffer.from('hello') as Uint8Array, next }
  }

  override verify(hello: Uint8Array, challenge: Challenge) {
    if (Buffer.from(hello).toString() !== 'hello') return { deny: 'no hello' }
    const further = randomBytes(16)
    return { challenge: further, next: (proof: Uint8Array) => super.verify(proof, within(challenge, further)) }
  }
}

const within = (challenge: Challenge, further: Uint8Array): Challenge => ({
  ...challenge,
  transcript: Buffer.concat([challenge.transcript, further])
})

/** It says so. */
class DeclaredRounds extends TwoRounds {
  readonly rounds = true
}

type Halves = { server: Authenticator; client: Authenticator }
const right = (): Halves => ({ server: new SimpleAuthenticator('key'), client: new SimpleAuthenticator('key') })

const subject =
  (halves: () => Halves, more: Partial<AuthenticatorSubject> = {}) =>
  (): AuthenticatorSubject => {
    const { server, client } = halves()
    return {
      server: () => server,
      client: () => client,
      unauthorized: () => new SimpleAuthenticator('another key'),
      empty: () => ({ method: 'simple' }),
      identity: 'home',
      ...more
    }
  }

type Class = new (key: string) => Authenticator
/** Both ends are of this class. */
const both = (Broken: Class, because: RegExp): Mutant<AuthenticatorSubject> => ({
  because,
  subject: subject(() => ({ server: new Broken('key'), client: new Broken('key') }))
})
/** Only who checks is broken. */
const server = (Broken: Class, because: RegExp): Mutant<AuthenticatorSubject> => ({
  because,
  subject: subject(() => ({ ...right(), server: new Broken('key') }))
})

const accepted = { identity: { id: 'home' } }

const rounds = (): Halves => ({ server: new DeclaredRounds('key'), client: new DeclaredRounds('key') })

killsMutants(
  'authenticator',
  authenticatorKit,
  [subject(right), subject(rounds, { unauthorized: () => new DeclaredRounds('another key') })],
  {
    'accepts what its own client proves, and says who it is': server(
      class extends SimpleAuthenticator {
        override async verify(proof: Uint8Array, challenge: Challenge) {
          const answer = await super.verify(proof, challenge)
          return 'identity' in answer ? { ...answer, identity: { id: 'other' } } : answer
        }
      },
      /the identity/
    ),
    'is called the same at both ends': server(
      class extends SimpleAuthenticator {
        override method = 'simpel'
      },
      /simpel/
    ),
    'says at both ends whether it needs several rounds': {
      because: /rounds, with 3 messages of a handshake/,
      subject: subject(() => ({ server: new TwoRounds('key'), client: new TwoRounds('key') }))
    },
    'makes proofs that the protocol can carry': both(
      class extends SimpleAuthenticator {
        override prove(challenge: Challenge) {
          return { ...super.prove(challenge), proof: Buffer.alloc(16_385) }
        }
      },
      /a proof of 16385 bytes/
    ),
    'refuses a client it does not know': server(
      class extends SimpleAuthenticator {
        override verify() {
          return accepted
        }
      },
      /a unauthorized was accepted/
    ),
    'refuses a proof that was made for another handshake': both(
      class extends SimpleAuthenticator {
        protected override over({ binding }: Challenge): string {
          return super.over({ transcript: Buffer.alloc(32), clientId: '', binding })
        }
      },
      /for another handshake was accepted/
    ),
    'refuses a proof that was relayed from another TLS link': both(
      class extends SimpleAuthenticator {
        protected override over(challenge: Challenge): string {
          return super.over({ ...challenge, binding: challenge.binding && Buffer.alloc(1) })
        }
      },
      /from another TLS link was accepted/
    ),
    'refuses a proof that was relayed between links with and without TLS': both(
      class extends SimpleAuthenticator {
        protected override over(challenge: Challenge): string {
          return super.over({ ...challenge, binding: undefined })
        }
      },
      /from a link without TLS was accepted/
    ),
    'refuses a proof with any byte changed': server(
      class extends SimpleAuthenticator {
        override verify(proof: Uint8Array, challenge: Challenge) {
          const whole = Buffer.from(proof)
          this.mac('proof', challenge).copy(whole, 31, 31)
          return super.verify(whole, challenge)
        }
      },
      /byte 31 changed was accepted/
    ),
    'refuses a proof that was cut or made longer': server(
      class extends SimpleAuthenticator {
        override verify(proof: Uint8Array, challenge: Challenge) {
          return super.verify(proof.subarray(0, 32), challenge)
        }
      },
      /1 bytes more was accepted/
    ),
    'refuses bytes that are no proof': server(
      class extends SimpleAuthenticator {
        override verify(proof: Uint8Array, challenge: Challenge) {
          return proof.length > 1_000 ? accepted : super.verify(proof, challenge)
        }
      },
      /bytes of anything was accepted/
    ),
    'gives both ends the same confirmation and the same secret': server(
      class extends SimpleAuthenticator {
        protected override parts(challenge: Challenge) {
          return { ...super.parts(challenge), confirm: this.mac('confirmation', challenge) }
        }
      },
      /not have the same confirm/
    ),
    'makes another confirmation and another secret for each handshake': both(
      class extends SimpleAuthenticator {
        protected override parts(challenge: Challenge) {
          return { ...super.parts(challenge), secret: createHash('sha256').update(this.key).digest() }
        }
      },
      /the secret of two handshakes is the same/
    ),
    'does not send the secret': both(
      class extends SimpleAuthenticator {
        protected override parts(challenge: Challenge) {
          return { ...super.parts(challenge), secret: this.mac('confirm', challenge) }
        }
      },
      /the secret is in the confirmation/
    ),
    'answers many at once, each its own': server(
      class extends SimpleAuthenticator {
        #last: Challenge | undefined
        override async verify(proof: Uint8Array, challenge: Challenge) {
          this.#last = challenge
          await Promise.resolve()
          return super.verify(proof, this.#last)
        }
      },
      /was taken for another one/
    ),
    'checks nothing when there is nothing to check against': {
      because: /a server without credentials accepted a client/,
      subject: subject(right, { empty: () => ({ method: 'simple', verify: () => accepted }) })
    }
  }
)
