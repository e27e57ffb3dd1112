import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { BoundedMap } from '../src/bounded-map.js'
import { Door } from '../src/door.js'
import { holds, makeProof, type Occasion, proofIn } from '../src/proof.js'

const key = Buffer.alloc(32, 1)
const other = Buffer.alloc(32, 2)
const occasion: Occasion = { name: 'db', session: 's1', identity: 'home' }

describe('a proof', () => {
  it('holds for its key and its occasion, and for nothing else', () => {
    const proof = makeProof(key, occasion)
    expect(holds(key, occasion, proof)).to.equal(true)
    expect(holds(other, occasion, proof)).to.equal(false)
    for (const change of [{ name: 'dc' }, { session: 's2' }, { identity: 'away' }]) {
      expect(holds(key, { ...occasion, ...change }, proof), JSON.stringify(change)).to.equal(false)
    }
    expect(holds(key, occasion, { ...proof, nonce: makeProof(key, occasion).nonce })).to.equal(false)
    // Fields that run into each other are other fields.
    const shifted = { ...occasion, name: 'dbs', session: '1' }
    expect(holds(key, shifted, makeProof(key, { ...occasion, name: 'db', session: 's1' }))).to.equal(false)
  })

  it('is never the same twice', () => {
    expect(new Set(Array.from({ length: 100 }, () => makeProof(key, occasion).mac)).size).to.equal(100)
  })

  it('is found in what somebody sent, and garbage is none', () => {
    const proof = makeProof(key, occasion)
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
    expect(holds(key, occasion, { nonce: 'n'.repeat(22), mac: '\u00e4'.repeat(43) })).to.equal(false)
  })
})

describe('a door', () => {
  it('lets in who has the secret, once for each proof', () => {
    const door = new Door(new FakeClock())
    const proof = makeProof(key, occasion)
    expect(door.refuses(key, occasion, proof)).to.equal(undefined)
    expect(door.refuses(key, occasion, proof)).to.equal('a proof that was used before')
    expect(door.refuses(key, occasion, makeProof(key, occasion))).to.equal(undefined)
    expect(door.refuses(key, occasion, undefined)).to.equal('no proof')
    expect(door.refuses(key, occasion, makeProof(other, occasion))).to.equal('a wrong secret')
  })

  it('does not look at what a session says that was wrong ten times, for a while', async () => {
    const clock = new FakeClock()
    const door = new Door(clock)
    for (let turn = 0; turn < 10; turn += 1) {
      expect(door.refuses(key, occasion, makeProof(other, occasion))).to.equal('a wrong secret')
    }
    const right = (): string | undefined => door.refuses(key, occasion, makeProof(key, occasion))
    expect(right()).to.equal('too many wrong secrets')
    // Others are not concerned.
    const neighbour = { ...occasion, session: 's2' }
    expect(door.refuses(key, neighbour, makeProof(key, neighbour))).to.equal(undefined)
    clock.advance(5_900)
    expect(right()).to.equal('too many wrong secrets')
    clock.advance(200)
    expect(right()).to.equal(undefined)
  })

  it('trusts a session that has shown the secret, until there is another', () => {
    const door = new Door(new FakeClock())
    expect(door.refuses(key, occasion, makeProof(key, occasion))).to.equal(undefined)
    for (let turn = 0; turn < 50; turn += 1) door.refuses(key, occasion, makeProof(other, occasion))
    expect(door.refuses(key, occasion, makeProof(key, occasion))).to.equal(undefined)
    expect(door.refuses(other, occasion, makeProof(other, occasion))).to.equal('too many wrong secrets')
  })
})

describe('a bounded map', () => {
  it('forgets what was set longest ago', () => {
    const map = new BoundedMap<number>(2)
    map.set('a', 1)
    map.set('b', 2)
    map.set('a', 3)
    map.set('c', 4)
    expect(['a', 'b', 'c'].map((key) => map.get(key))).to.deep.equal([3, undefined, 4])
    expect(map.has('b')).to.equal(false)
  })
})
