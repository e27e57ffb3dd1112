import type { Accepted, AuthAnswer, Authenticator, AuthRound, Challenge, PeerInfo, Proof } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { Random } from '../random.js'
import type { Scope } from './scope.js'
import { type Maker, make } from './subject.js'

/** A method of authentication under test: both halves, and a client that is not known. */
export interface AuthenticatorSubject {
  /** The half that checks. */
  readonly server: Maker<Authenticator>
  /** The half that proves, of a client that the server knows. */
  readonly client: Maker<Authenticator>
  /** The same of a client that the server does not know. */
  readonly unauthorized: Maker<Authenticator>
  /** The same extension with nothing to check against, if it can be set up so. */
  readonly empty?: Maker<Authenticator>
  /** Identity of the client. */
  readonly identity: string
  /** What each end knows of the other. @default a link without TLS */
  readonly peer?: PeerInfo
  /** The same on the link of the unauthorized, for methods that look at nothing else. @default `peer` */
  readonly unauthorizedPeer?: PeerInfo
}

/** What the protocol carries. */
export const LARGEST_PROOF = 16_384
export const MOST_ROUNDS = 8

/** How a handshake differs from the right one. */
export interface Exchanging {
  /** The challenge that the client sees. @default that of the server */
  readonly made?: Challenge
  /** The client. @default the one that the server knows */
  readonly by?: Authenticator
  /** The server. @default the one under test */
  readonly at?: Authenticator
  readonly peer?: PeerInfo
  /** Messages of an earlier handshake, proofs and challenges in turn, whose proofs are sent in place of a client's. */
  readonly replayed?: readonly Uint8Array[]
  /** What becomes of a message on the way, and of which: 0 the first proof, 1 the challenge to it. */
  readonly change?: (bytes: Uint8Array) => Uint8Array
  readonly message?: number
}

/** What came of a handshake. */
export interface Exchange<Answer = AuthAnswer> {
  readonly answer: Answer
  /** The last of the client. */
  readonly proof: Proof
  /** Proofs and challenges in turn, as they were sent. */
  readonly sent: readonly Uint8Array[]
}

export class AuthenticatorWorld {
  readonly peer: PeerInfo

  private constructor(
    readonly subject: AuthenticatorSubject,
    readonly scope: Scope,
    readonly server: Authenticator,
    readonly client: Authenticator
  ) {
    this.peer = subject.peer ?? { address: '192.0.2.7', port: 4711 }
  }

  static async open(subject: AuthenticatorSubject, scope: Scope): Promise<AuthenticatorWorld> {
    const server = await make(subject.server, 'authenticators', 'server', scope)
    return new AuthenticatorWorld(subject, scope, server, await make(subject.client, 'authenticators', 'client', scope))
  }

  /** A whole handshake under a challenge. A throw refuses, as the framework has it. */
  async exchange(challenge: Challenge, how: Exchanging = {}): Promise<Exchange> {
    const { made = challenge, by = this.client, at = this.server, peer = this.peer, replayed } = how
    assert.ok(by.prove !== undefined, 'the client has nothing to prove itself with')
    assert.ok(at.verify !== undefined, 'the server has nothing to check against')
    const sent: Uint8Array[] = []
    const carry = (bytes: Uint8Array): Uint8Array => {
      sent.push(bytes)
      return how.message === sent.length - 1 && how.change !== undefined ? how.change(bytes) : bytes
    }
    const recorded = (): Proof => ({ proof: replayed?.[sent.length] ?? Buffer.alloc(0) })
    let proof: Proof = replayed === undefined ? await this.scope.wait(by.prove(made, peer), 'prove()') : recorded()
    let answer = await this.#answerOf(() => at.verify?.(carry(proof.proof), challenge, peer), 'verify()')
    while ('challenge' in answer && sent.length < 2 * MOST_ROUNDS) {
      const { challenge: further, next } = answer
      const carried = carry(further)
      try {
        const before = proof
        if (replayed === undefined) assert.ok(before.next !== undefined, 'a client that knows no further round')
        proof = before.next === undefined ? recorded() : await this.scope.wait(before.next(carried), 'next()')
      } catch (error) {
        return { answer: { deny: `the client gave up: ${error}` }, proof, sent }
      }
      answer = await this.#answerOf(() => next(carry(proof.proof)), 'next()')
    }
    return { answer: 'challenge' in answer ? { deny: 'too many rounds' } : answer, proof, sent }
  }

  async #answerOf(
    run: () => Promise<AuthAnswer | AuthRound> | AuthAnswer | AuthRound | undefined,
    what: string
  ): Promise<AuthAnswer | AuthRound> {
    try {
      return (await this.scope.wait(run(), what)) ?? { deny: 'no answer' }
    } catch (error) {
      return { deny: `it threw ${error}` }
    }
  }

  async accepts(challenge: Challenge): Promise<Exchange<Accepted>> {
    const { answer, ...exchange } = await this.exchange(challenge)
    assert.ok(!('deny' in answer), `a proof that holds was refused: ${'deny' in answer ? answer.deny : ''}`)
    return { answer, ...exchange }
  }

  async refuses(challenge: Challenge, what: string, how: Exchanging): Promise<void> {
    const { answer } = await this.exchange(challenge, how)
    assert.ok('deny' in answer, `${what} was accepted`)
    assert.ok(typeof answer.deny === 'string' && answer.deny !== '', `${what} was refused without a reason for the log`)
  }
}

export const challengeOf = (seed: number, more: Partial<Challenge> = {}): Challenge => ({
  transcript: new Random(seed).bytes(32),
  clientId: 'kit-client',
  ...more
})

export const same = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
  one !== undefined && other !== undefined && Buffer.from(one).equals(other)

export const holds = (bytes: Uint8Array, part: Uint8Array): boolean => Buffer.from(bytes).includes(Buffer.from(part))
