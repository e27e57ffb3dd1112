import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { VisitGuard } from '../src/visit-guard.js'
import { holds, makeProof, type VisitContext, proofIn } from '../src/proof.js'

const key = Buffer.alloc(32, 1)
const other = Buffer.alloc(32, 2)
const visit: VisitContext = { name: 'db', session: 's1', identity: 'home' }

describe('a proof', () => {
  it('holds for its key and its visit, and for nothing else', () => {
    const proof = makeProof(key, visit)
    expect(holds(key, visit, proof)).to.equal(true)
    expect(holds(other, visit, proof)).to.equal(false)
    for (const change of [{ name: 'dc' }, { session: 's2' }, { identity: 'away' }]) {
      expect(holds(key, { ...visit, ...change }, proof), JSON.stringify(change)).to.equal(false)
    }
    expect(holds(key, visit, { ...proof, nonce: makeProof(key, visit).nonce })).to.equal(false)
    // Fields that run into each other are other fields.
    const shifted = { ...visit, name: 'dbs', session: '1' }
    expect(holds(key, shifted, makeProof(key, { ...visit, name: 'db', session: 's1' }))).to.equal(false)
  })

  it('is never the same twice', () => {
    expect(new Set(Array.from({ length: 100 }, () => makeProof(key, visit).mac)).size).to.equal(100)
  })

  it('is parsed from what a peer sent, and garbage is refused', () => {
    const proof = makeProof(key, visit)
    expect(proofIn({ ...proof, more: 1 })).to.deep.equal(proof)
    for (const sent of [
      {},
      { nonce: proof.nonce },
      { ...proof, mac: 5 },
      { ...proof, mac: `${proof.mac}a` },
      { ...proof, nonce: '' }
    ]) {
      expect(proofIn(sent)).to.equal(undefined)
    }
    expect(holds(key, visit, { nonce: 'n'.repeat(22), mac: '\u00e4'.repeat(43) })).to.equal(false)
  })
})

describe('a admission', () => {
  it('accepts a visitor that has the secret, once for each proof', () => {
    const admission = new VisitGuard(new FakeClock())
    const proof = makeProof(key, visit)
    expect(admission.refuses(key, visit, proof)).to.equal(undefined)
    expect(admission.refuses(key, visit, proof)).to.equal('replayed proof')
    expect(admission.refuses(key, visit, makeProof(key, visit))).to.equal(undefined)
    expect(admission.refuses(key, visit, undefined)).to.equal('no proof')
    expect(admission.refuses(key, visit, makeProof(other, visit))).to.equal('wrong secret')
  })

  it('does not check the proof of a session that was wrong ten times, for a while', async () => {
    const clock = new FakeClock()
    const admission = new VisitGuard(clock)
    for (let turn = 0; turn < 10; turn += 1) {
      expect(admission.refuses(key, visit, makeProof(other, visit))).to.equal('wrong secret')
    }
    const right = (): string | undefined => admission.refuses(key, visit, makeProof(key, visit))
    expect(right()).to.equal('too many wrong secrets')
    // Others are not concerned.
    const neighbour = { ...visit, session: 's2' }
    expect(admission.refuses(key, neighbour, makeProof(key, neighbour))).to.equal(undefined)
    clock.advance(5_900)
    expect(right()).to.equal('too many wrong secrets')
    clock.advance(200)
    expect(right()).to.equal(undefined)
  })

  it('trusts a session that has shown the secret, until there is another', () => {
    const admission = new VisitGuard(new FakeClock())
    expect(admission.refuses(key, visit, makeProof(key, visit))).to.equal(undefined)
    for (let turn = 0; turn < 50; turn += 1) admission.refuses(key, visit, makeProof(other, visit))
    expect(admission.refuses(key, visit, makeProof(key, visit))).to.equal(undefined)
    expect(admission.refuses(other, visit, makeProof(other, visit))).to.equal('too many wrong secrets')
  })
})
