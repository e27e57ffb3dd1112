import type { Accepted, AuthAnswer, Authenticator, Challenge, PeerInfo, Proof } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { Random } from '../random.js'
import { caseMaker, defineKit, type Kit } from './kit.js'
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
const LARGEST_PROOF = 16_384

class World {
  readonly peer: PeerInfo

  private constructor(
    readonly subject: AuthenticatorSubject,
    readonly scope: Scope,
    readonly server: Authenticator,
    readonly client: Authenticator
  ) {
    this.peer = subject.peer ?? { address: '192.0.2.7', port: 4711 }
  }

  static async open(subject: AuthenticatorSubject, scope: Scope): Promise<World> {
    const server = await make(subject.server, 'authenticators', 'server', scope)
    return new World(subject, scope, server, await make(subject.client, 'authenticators', 'client', scope))
  }

  async prove(challenge: Challenge, by = this.client, peer = this.peer): Promise<Proof> {
    assert.ok(by.prove !== undefined, 'the client has nothing to prove itself with')
    return this.scope.wait(by.prove(challenge, peer), 'prove()')
  }

  /** A throw refuses, as the framework has it. */
  async verify(proof: Uint8Array, challenge: Challenge, by = this.server, peer = this.peer): Promise<AuthAnswer> {
    assert.ok(by.verify !== undefined, 'the server has nothing to check against')
    try {
      return await this.scope.wait(by.verify(proof, challenge, peer), 'verify()')
    } catch (error) {
      return { deny: `it threw ${error}` }
    }
  }

  async accepts(proof: Uint8Array, challenge: Challenge): Promise<Accepted> {
    const answer = await this.verify(proof, challenge)
    assert.ok(!('deny' in answer), `a proof that holds was refused: ${'deny' in answer ? answer.deny : ''}`)
    return answer
  }

  async refuses(proof: Uint8Array, challenge: Challenge, what: string, peer = this.peer): Promise<void> {
    const answer = await this.verify(proof, challenge, this.server, peer)
    assert.ok('deny' in answer, `${what} was accepted`)
    assert.ok(typeof answer.deny === 'string' && answer.deny !== '', `${what} was refused without a reason for the log`)
  }
}

const it = caseMaker<AuthenticatorSubject, World>(World.open)

const challengeOf = (seed: number, more: Partial<Challenge> = {}): Challenge => ({
  transcript: new Random(seed).bytes(32),
  clientId: 'kit-client',
  ...more
})

const same = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
  one !== undefined && other !== undefined && Buffer.from(one).equals(other)

const holds = (bytes: Uint8Array, part: Uint8Array): boolean => Buffer.from(bytes).includes(Buffer.from(part))

const cases = [
  it('accepts what its own client proves, and says who it is', async (world) => {
    for (const end of [world.server, world.client])
      assert.equal(end.unfit?.(world.peer), undefined, 'unfit for the link')
    const challenge = challengeOf(1)
    const { identity } = await world.accepts((await world.prove(challenge)).proof, challenge)
    assert.equal(identity.id, world.subject.identity, 'the identity')
  }),
  it('is called the same at both ends', (world) => {
    assert.equal(world.server.method, world.client.method)
    assert.match(world.server.method, /^[a-z0-9][a-z0-9-]{0,31}$/, `"${world.server.method}" is no name for the wire`)
  }),
  it('makes proofs that the protocol can carry', async (world) => {
    const { proof } = await world.prove(challengeOf(2))
    assert.ok(proof instanceof Uint8Array, 'a proof has to be bytes')
    assert.ok(proof.length > 0 && proof.length <= LARGEST_PROOF, `a proof of ${proof.length} bytes`)
  }),
  it('refuses a client it does not know', async (world, scope) => {
    const unauthorized = await make(world.subject.unauthorized, 'authenticators', 'client', scope)
    const challenge = challengeOf(3)
    const peer = world.subject.unauthorizedPeer ?? world.peer
    await world.refuses((await world.prove(challenge, unauthorized, peer)).proof, challenge, 'a unauthorized', peer)
  }),
  it('refuses a proof that was made for another handshake', async (world) => {
    const { proof } = await world.prove(challengeOf(4))
    await world.accepts(proof, challengeOf(4))
    await world.refuses(proof, challengeOf(5), 'a proof for another handshake')
    const near = challengeOf(4)
    near.transcript[31] = (near.transcript[31] ?? 0) ^ 1
    await world.refuses(proof, near, 'a proof for a handshake that differs in one bit')
  }),
  it('refuses a proof that was relayed from another TLS link', async (world) => {
    const [one, two] = [1, 2].map((fill) => challengeOf(6, { binding: Buffer.alloc(32, fill) })) as [
      Challenge,
      Challenge
    ]
    const { proof } = await world.prove(one)
    await world.accepts(proof, one)
    await world.refuses(proof, two, 'a proof from another TLS link')
  }),
  it('refuses a proof that was relayed between links with and without TLS', async (world) => {
    const [bare, bound] = [challengeOf(7), challengeOf(7, { binding: Buffer.alloc(32, 1) })]
    await world.refuses((await world.prove(bare)).proof, bound, 'a proof from a link without TLS')
    await world.refuses((await world.prove(bound)).proof, bare, 'a proof from a TLS link')
  }),
  it('refuses a proof with any byte changed', async (world) => {
    const challenge = challengeOf(8)
    const { proof } = await world.prove(challenge)
    for (let at = 0; at < proof.length; at++) {
      const changed = Uint8Array.from(proof)
      changed[at] = (changed[at] ?? 0) ^ 0x01
      await world.refuses(changed, challenge, `a proof with byte ${at} changed`)
    }
  }),
  it('refuses a proof that was cut or made longer', async (world) => {
    const challenge = challengeOf(9)
    const { proof } = await world.prove(challenge)
    for (let length = 0; length < proof.length; length++) {
      await world.refuses(proof.subarray(0, length), challenge, `the first ${length} bytes of a proof`)
    }
    for (const more of [1, 32, LARGEST_PROOF - proof.length]) {
      if (more <= 0) continue
      await world.refuses(Buffer.concat([proof, Buffer.alloc(more)]), challenge, `a proof with ${more} bytes more`)
    }
  }),
  it('refuses bytes that are no proof', async (world) => {
    const random = new Random(10)
    for (let round = 0; round < 200; round++) {
      const bytes = random.bytes(random.below(LARGEST_PROOF + 1))
      await world.refuses(bytes, challengeOf(10), `${bytes.length} bytes of anything`)
    }
  }),
  it('gives both ends the same confirmation and the same secret', async (world) => {
    const challenge = challengeOf(11)
    const made = await world.prove(challenge)
    const answer = await world.accepts(made.proof, challenge)
    for (const part of ['confirm', 'secret'] as const) {
      if (made[part] === undefined && answer[part] === undefined) continue
      assert.ok(same(made[part], answer[part]), `the two ends do not have the same ${part}`)
    }
    if (made.secret !== undefined) assert.equal(made.secret.length, 32, 'the length of the secret')
  }),
  it('makes another confirmation and another secret for each handshake', async (world) => {
    const [one, two] = [await world.prove(challengeOf(12)), await world.prove(challengeOf(13))]
    for (const part of ['confirm', 'secret'] as const) {
      assert.ok(!same(one[part], two[part]), `the ${part} of two handshakes is the same`)
    }
  }),
  it('does not send the secret', async (world) => {
    const challenge = challengeOf(14)
    const { proof, secret } = await world.prove(challenge)
    const { confirm } = await world.accepts(proof, challenge)
    if (secret === undefined) return
    assert.ok(!holds(proof, secret), 'the secret is in the proof')
    assert.ok(confirm === undefined || !holds(confirm, secret), 'the secret is in the confirmation')
  }),
  it('answers many at once, each its own', async (world) => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const challenge = challengeOf(100 + index)
        const { proof } = await world.prove(challenge)
        return world.verify(proof, index % 2 === 0 ? challenge : challengeOf(1))
      })
    )
    for (const [index, answer] of answers.entries()) {
      assert.equal('deny' in answer, index % 2 === 1, `proof ${index} of many was taken for another one`)
    }
  }),
  it('checks nothing when there is nothing to check against', async (world, scope) => {
    if (world.subject.empty === undefined) return
    const { verify, prove } = await make(world.subject.empty, 'authenticators', 'server', scope)
    assert.equal(prove, undefined, 'a server has nothing to prove')
    if (verify === undefined) return
    const challenge = challengeOf(15)
    const answer = await world.verify((await world.prove(challenge)).proof, challenge, { method: 'empty', verify })
    assert.ok('deny' in answer, 'a server without credentials accepted a client')
  })
]

/** What every method of authentication must do. Call it where `describe` may be called. */
export const authenticatorKit: Kit<AuthenticatorSubject> = defineKit('authenticator', cases)
