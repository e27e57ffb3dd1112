import type { AuthAnswer, Challenge } from '@rystra/plugin'
import { expect } from 'chai'
import fc from 'fast-check'
import { PROOF_LENGTH } from '../src/proof.js'
import { accepted, challenge, prove, setUp, verify } from './setup.js'

const home = 'correct horse battery staple'
const office = 'another token of good length'
const tokens = [
  { identity: 'home', token: home, rights: { ports: ['20000-20010'] } },
  { identity: 'office', token: office }
]
const server = setUp('server', { tokens })
const client = setUp('client', { token: home })

const expectRefused = (answer: AuthAnswer, reason: RegExp): void => {
  if (!('deny' in answer)) throw new Error(`accepted as ${answer.identity.id}`)
  expect(answer.deny).to.match(reason)
}

const flipped = (bytes: Uint8Array, at: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

describe('auth-token', () => {
  it('finds the identity and the rights of each token', async () => {
    for (const { identity, token, rights } of [tokens[0], tokens[1]] as ((typeof tokens)[number] & {
      rights?: object
    })[]) {
      const { proof } = await prove(setUp('client', { token }), challenge())
      const answer = accepted(await verify(server, proof, challenge()))
      expect(answer.identity).to.deep.equal(rights === undefined ? { id: identity } : { id: identity, rights })
    }
  })

  it('gives both ends the same confirmation and the same secret, and neither is in the proof', async () => {
    const made = await prove(client, challenge())
    const answer = accepted(await verify(server, made.proof, challenge()))
    expect(made.confirm).to.have.length(32).and.deep.equal(answer.confirm)
    expect(made.secret).to.have.length(32).and.deep.equal(answer.secret)
    expect(made.secret).to.not.deep.equal(made.confirm)
    const wire = Buffer.concat([made.proof, answer.confirm as Uint8Array])
    expect(wire.includes(Buffer.from(made.secret as Uint8Array)), 'the secret crosses the wire').to.equal(false)
    expect(wire.includes(home), 'the token crosses the wire').to.equal(false)
  })

  it('makes another secret for each session', async () => {
    const [one, two] = [await prove(client, challenge('a')), await prove(client, challenge('b'))]
    expect(one.secret).to.not.deep.equal(two.secret)
    expect(one.confirm).to.not.deep.equal(two.confirm)
  })

  it('serves both ends with one short entry', async () => {
    const short = setUp('server', { token: home })
    const { proof } = await prove(client, challenge())
    expect(accepted(await verify(short, proof, challenge())).identity).to.deep.equal({ id: 'default' })
  })

  it("does not admit the client's own token where there are tokens", async () => {
    const both = setUp('server', { token: home, tokens: [{ identity: 'office', token: office }] })
    expectRefused(await verify(both, (await prove(client, challenge())).proof, challenge()), /unknown token id/)
  })

  it('takes several tokens of one identity, so that a token can be replaced', async () => {
    const rotating = setUp('server', { tokens: [home, office].map((token) => ({ identity: 'home', token })) })
    for (const token of [home, office]) {
      const { proof } = await prove(setUp('client', { token }), challenge())
      expect(accepted(await verify(rotating, proof, challenge())).identity.id).to.equal('home')
    }
  })

  it('takes any text that can be seen as a token', async () => {
    const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|^[\u2018-\u201f\u00ab\u2039]/u
    const text = fc
      .string({ unit: 'grapheme', minLength: 16, maxLength: 64 })
      .filter((it) => it.trim() !== '' && !unseen.test(it.trim()))
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        const { proof } = await prove(setUp('client', { token }), challenge())
        accepted(await verify(setUp('server', { token }), proof, challenge()))
      }),
      { numRuns: 50 }
    )
  })

  describe('refuses', () => {
    it('a token that it does not know', async () => {
      const { proof } = await prove(setUp('client', { token: 'an unknown token' }), challenge())
      expectRefused(await verify(server, proof, challenge()), /unknown token id [0-9a-f]{16}$/)
    })

    it('a known id with the proof of another token', async () => {
      const own = await prove(client, challenge())
      const other = await prove(setUp('client', { token: office }), challenge())
      const mixed = Buffer.concat([own.proof.subarray(0, 8), other.proof.subarray(8)])
      expectRefused(await verify(server, mixed, challenge()), /for home/)
    })

    it('a proof that was made for another handshake', async () => {
      const { proof } = await prove(client, challenge('a'))
      expectRefused(await verify(server, proof, challenge('b')), /invalid proof/)
    })

    it('a proof that was made by another client id', async () => {
      const { proof } = await prove(client, challenge('a', { clientId: 'office-nas' }))
      expectRefused(await verify(server, proof, challenge()), /invalid proof/)
    })

    const binding = Buffer.alloc(32, 7)
    const links: [string, Partial<Challenge>, Partial<Challenge>][] = [
      ['from one TLS link to another', { binding }, { binding: Buffer.alloc(32, 8) }],
      ['from a TLS link to one without', { binding }, {}],
      ['from a link without TLS to one with it', {}, { binding }],
      ['from a link without TLS to one with an empty binding', {}, { binding: Buffer.alloc(0) }]
    ]
    for (const [what, from, to] of links) {
      it(`a proof that was relayed ${what}`, async () => {
        const { proof } = await prove(client, challenge('a', from))
        accepted(await verify(server, proof, challenge('a', from)))
        expectRefused(await verify(server, proof, challenge('a', to)), /invalid proof/)
      })
    }

    it('a proof whose client id runs into the binding', async () => {
      const from = { clientId: 'a\u0001b', binding: Buffer.from('c') }
      const to = { clientId: 'a', binding: Buffer.from('b\u0001c') }
      const { proof } = await prove(client, challenge('a', from))
      expectRefused(await verify(server, proof, challenge('a', to)), /invalid proof/)
    })

    it('a proof with any one byte changed', async () => {
      const { proof } = await prove(client, challenge())
      expect(proof).to.have.length(PROOF_LENGTH)
      for (let at = 0; at < proof.length; at++) {
        expectRefused(
          await verify(server, flipped(proof, at), challenge()),
          at < 8 ? /unknown token id/ : /invalid proof/
        )
      }
    })

    it('bytes of any other length, without a throw', async () => {
      const { proof } = await prove(client, challenge())
      const lengths = [0, 1, 8, 32, proof.length - 1, proof.length + 1, 2048]
      for (const length of lengths) {
        const bytes = Buffer.concat([proof, Buffer.alloc(2048)]).subarray(0, length)
        expectRefused(await verify(server, bytes, challenge()), new RegExp(`proof of ${length} bytes`))
      }
    })

    it('anything at all that is not a proof', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
          expect(await verify(server, bytes, challenge())).to.have.property('deny')
        })
      )
    })
  })

  it('lets the client see that a confirmation was changed', async () => {
    const made = await prove(client, challenge())
    const { confirm } = accepted(await verify(server, made.proof, challenge()))
    expect(made.confirm).to.deep.equal(confirm)
    expect(made.confirm).to.not.deep.equal(flipped(confirm as Uint8Array, 31))
    const attacker = setUp('server', { tokens: [{ identity: 'home', token: office }] })
    const other = await prove(setUp('client', { token: office }), challenge())
    expect(accepted(await verify(attacker, other.proof, challenge())).confirm).to.not.deep.equal(made.confirm)
  })

  it('does as much work for a token that it does not know', async () => {
    const known = (await prove(client, challenge('x'))).proof
    const unknown = (await prove(setUp('client', { token: 'another unknown token' }), challenge('x'))).proof
    const to = challenge()
    // Time of the processor: other programs have no part in it.
    const spend = async (proof: Uint8Array): Promise<number> => {
      const begin = process.cpuUsage()
      for (let turn = 0; turn < 500; turn++) await verify(server, proof, to)
      const { user, system } = process.cpuUsage(begin)
      return user + system
    }
    const fastest = { known: Number.POSITIVE_INFINITY, unknown: Number.POSITIVE_INFINITY }
    for (let round = 0; round < 8; round++) {
      fastest.known = Math.min(fastest.known, await spend(known))
      fastest.unknown = Math.min(fastest.unknown, await spend(unknown))
    }
    // without the stand-in it is about 1 : 10
    expect(fastest.unknown / fastest.known).to.be.within(0.3, 3.3)
  })
})
