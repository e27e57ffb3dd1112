import assert from 'node:assert/strict'
import { Random } from '../random.js'
import {
  AuthenticatorWorld,
  type AuthenticatorSubject,
  challengeOf,
  holds,
  LARGEST_PROOF,
  MOST_ROUNDS,
  same
} from './authenticator-world.js'
import { caseMaker, defineKit, type Kit } from './kit.js'
import { make } from './subject.js'

export type { AuthenticatorSubject } from './authenticator-world.js'

const it = caseMaker<AuthenticatorSubject, AuthenticatorWorld>(AuthenticatorWorld.open)

const cases = [
  it('accepts what its own client proves, and says who it is', async (world) => {
    for (const end of [world.server, world.client])
      assert.equal(end.unfit?.(world.peer), undefined, 'unfit for the link')
    const { answer } = await world.accepts(challengeOf(1))
    assert.equal(answer.identity.id, world.subject.identity, 'the identity')
  }),
  it('is called the same at both ends', (world) => {
    assert.equal(world.server.method, world.client.method)
    assert.match(world.server.method, /^[a-z0-9][a-z0-9-]{0,31}$/, `"${world.server.method}" is no name for the wire`)
  }),
  it('says at both ends whether it needs several rounds', async (world) => {
    const { sent } = await world.accepts(challengeOf(2))
    for (const end of [world.server, world.client])
      assert.equal(end.rounds === true, sent.length > 1, `rounds, with ${sent.length} messages of a handshake`)
  }),
  it('makes proofs that the protocol can carry', async (world) => {
    const { sent } = await world.exchange(challengeOf(2))
    assert.ok(sent.length <= 2 * MOST_ROUNDS - 1, `${sent.length} messages of a handshake`)
    for (const proof of sent) {
      assert.ok(proof instanceof Uint8Array, 'invalid proof: expected a Uint8Array')
      assert.ok(proof.length > 0 && proof.length <= LARGEST_PROOF, `a proof of ${proof.length} bytes`)
    }
  }),
  it('refuses a client it does not know', async (world, scope) => {
    const by = await make(world.subject.unauthorized, 'authenticators', 'client', scope)
    const peer = world.subject.unauthorizedPeer ?? world.peer
    await world.refuses(challengeOf(3), 'a unauthorized', { by, peer })
  }),
  it('refuses a proof that was made for another handshake', async (world) => {
    const { sent } = await world.accepts(challengeOf(4))
    const near = challengeOf(4)
    near.transcript[31] = (near.transcript[31] ?? 0) ^ 1
    for (const [what, other] of [
      ['another handshake', challengeOf(5)],
      ['a handshake that differs in one bit', near]
    ] as const) {
      await world.refuses(other, `a proof for ${what}`, { made: challengeOf(4) })
      await world.refuses(other, `a recorded proof for ${what}`, { replayed: sent })
    }
  }),
  it('refuses a proof that was relayed from another TLS link', async (world) => {
    const one = challengeOf(6, { binding: Buffer.alloc(32, 1) })
    const two = challengeOf(6, { binding: Buffer.alloc(32, 2) })
    await world.accepts(one)
    await world.refuses(two, 'a proof from another TLS link', { made: one })
  }),
  it('refuses a proof that was relayed between links with and without TLS', async (world) => {
    const [bare, bound] = [challengeOf(7), challengeOf(7, { binding: Buffer.alloc(32, 1) })]
    await world.refuses(bound, 'a proof from a link without TLS', { made: bare })
    await world.refuses(bare, 'a proof from a TLS link', { made: bound })
  }),
  it('refuses a proof with any byte changed', async (world) => {
    const { sent } = await world.accepts(challengeOf(8))
    for (const [message, { length }] of sent.entries()) {
      for (let at = 0; at < length; at++) {
        const change = (bytes: Uint8Array): Uint8Array => {
          const changed = Uint8Array.from(bytes)
          changed[at] = (changed[at] ?? 0) ^ 0x01
          return changed
        }
        const what = `a ${message % 2 === 0 ? 'proof' : 'challenge'} with byte ${at} changed`
        await world.refuses(challengeOf(8), what, { change, message })
      }
    }
  }),
  it('refuses a proof that was cut or made longer', async (world) => {
    const { sent } = await world.accepts(challengeOf(9))
    for (const [message, { length }] of sent.entries()) {
      for (let cut = 0; cut < length; cut++) {
        const change = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, cut)
        await world.refuses(challengeOf(9), `the first ${cut} bytes of a proof`, { change, message })
      }
      for (const more of [1, 32, LARGEST_PROOF - length]) {
        if (more <= 0) continue
        const change = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes, Buffer.alloc(more)])
        await world.refuses(challengeOf(9), `a proof with ${more} bytes more`, { change, message })
      }
    }
  }),
  it('refuses bytes that are no proof', async (world) => {
    const random = new Random(10)
    const { sent } = await world.accepts(challengeOf(10))
    for (let round = 0; round < 200; round++) {
      const bytes = random.bytes(random.below(LARGEST_PROOF + 1))
      const message = round % sent.length
      await world.refuses(challengeOf(10), `${bytes.length} bytes of anything`, { change: () => bytes, message })
    }
  }),
  it('gives both ends the same confirmation and the same secret', async (world) => {
    const { proof, answer } = await world.accepts(challengeOf(11))
    for (const part of ['confirm', 'secret'] as const) {
      if (proof[part] === undefined && answer[part] === undefined) continue
      assert.ok(same(proof[part], answer[part]), `the two ends do not have the same ${part}`)
    }
    if (proof.secret !== undefined) assert.equal(proof.secret.length, 32, 'the length of the secret')
  }),
  it('makes another confirmation and another secret for each handshake', async (world) => {
    const [one, two] = [await world.accepts(challengeOf(12)), await world.accepts(challengeOf(13))]
    for (const part of ['confirm', 'secret'] as const) {
      assert.ok(!same(one.proof[part], two.proof[part]), `the ${part} of two handshakes is the same`)
    }
  }),
  it('does not send the secret', async (world) => {
    const { proof, sent, answer } = await world.accepts(challengeOf(14))
    const { secret } = proof
    if (secret === undefined) return
    for (const one of sent) assert.ok(!holds(one, secret), 'the secret is in the proof')
    assert.ok(answer.confirm === undefined || !holds(answer.confirm, secret), 'the secret is in the confirmation')
  }),
  it('answers many at once, each its own', async (world) => {
    const exchanges = await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const made = challengeOf(100 + index)
        return world.exchange(index % 2 === 0 ? made : challengeOf(1), { made })
      })
    )
    for (const [index, { answer }] of exchanges.entries()) {
      assert.equal('deny' in answer, index % 2 === 1, `proof ${index} of many was taken for another one`)
    }
  }),
  it('checks nothing when there is nothing to check against', async (world, scope) => {
    if (world.subject.empty === undefined) return
    const { verify, prove } = await make(world.subject.empty, 'authenticators', 'server', scope)
    assert.equal(prove, undefined, 'a server has nothing to prove')
    if (verify === undefined) return
    const { answer } = await world.exchange(challengeOf(15), { at: { method: 'empty', verify } })
    assert.ok('deny' in answer, 'a server without credentials accepted a client')
  })
]

/** What every method of authentication must do. Call it where `describe` may be called. */
export const authenticatorKit: Kit<AuthenticatorSubject> = defineKit('authenticator', cases)
