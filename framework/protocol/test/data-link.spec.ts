import { expect } from 'chai'
import fc from 'fast-check'
import { type DataHello, ReplayWindow, verifyDataLink } from '@rystra/protocol'
import { dataLinkProof } from '../src/data-link.js'

const secret = new Uint8Array(32).fill(9)

describe('the proof of a data link', () => {
  const hello = (session: string, counter: number, proof = dataLinkProof(secret, session, counter)): DataHello => ({
    type: 'DataHello',
    session,
    counter,
    proof
  })

  it('holds for its session, counter and secret, and for no other', () => {
    expect(verifyDataLink(secret, hello('s-1', 1))).to.equal(true)
    const proof = dataLinkProof(secret, 's-1', 1)
    expect(verifyDataLink(secret, hello('s-2', 1, proof)), 'another session').to.equal(false)
    expect(verifyDataLink(secret, hello('s-1', 2, proof)), 'another counter').to.equal(false)
    expect(verifyDataLink(secret, hello('s-1', 4294967297, proof)), 'a counter with equal low bits').to.equal(false)
    expect(verifyDataLink(new Uint8Array(32), hello('s-1', 1, proof)), 'another secret').to.equal(false)
    expect(verifyDataLink(secret, { ...hello('s-1', 1, proof), opens: true }), 'another opener').to.equal(false)
    const opened = dataLinkProof(secret, 's-1', 1, true)
    expect(verifyDataLink(secret, { ...hello('s-1', 1, opened), opens: true })).to.equal(true)
    expect(verifyDataLink(secret, hello('s-1', 1, opened)), 'another opener').to.equal(false)
    expect(verifyDataLink(secret, hello('s-1', 1, proof.subarray(0, 31))), 'a shorter proof').to.equal(false)
    expect(verifyDataLink(secret, hello('s-1', 1, new Uint8Array(32))), 'no proof').to.equal(false)
  })
})

describe('the replay window', () => {
  it('takes each counter once', () => {
    const window = new ReplayWindow()
    expect([0, 1, 2, 1, 0, 5, 4, 5, 3, 4].map((counter) => window.accept(counter))).to.deep.equal([
      true,
      true,
      true,
      false,
      false,
      true,
      true,
      false,
      true,
      false
    ])
  })

  it('takes counters that were overtaken by less than the window, and none below', () => {
    const window = new ReplayWindow(1024)
    expect(window.accept(5000)).to.equal(true)
    expect(window.accept(5000 - 1023)).to.equal(true)
    expect(window.accept(5000 - 1023)).to.equal(false)
    expect(window.accept(5000 - 1024)).to.equal(false)
    expect(window.accept(0)).to.equal(false)
  })

  it('takes counters one after the other for ever, in steps of any size', () => {
    for (const step of [1, 2, 3, 31, 32, 33, 1000]) {
      const window = new ReplayWindow(32)
      for (let counter = 0; counter < 5000; counter += step) {
        expect(window.accept(counter), `${counter} in steps of ${step}`).to.equal(true)
        expect(window.accept(counter), `${counter} again`).to.equal(false)
        if (step === 3 && counter > 0) expect(window.accept(counter - 1), 'one that was overtaken').to.equal(true)
      }
    }
  })

  it('survives jumps as far as numbers go', () => {
    const window = new ReplayWindow()
    expect(window.accept(1)).to.equal(true)
    expect(window.accept(Number.MAX_SAFE_INTEGER)).to.equal(true)
    expect(window.accept(Number.MAX_SAFE_INTEGER)).to.equal(false)
    expect(window.accept(Number.MAX_SAFE_INTEGER - 1)).to.equal(true)
    expect(window.accept(1)).to.equal(false)
  })

  it('takes nothing that is no counter', () => {
    const window = new ReplayWindow()
    for (const counter of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(window.accept(counter), String(counter)).to.equal(false)
    }
  })

  it('does what a memory without bounds would do', () => {
    const counters = fc.array(fc.oneof(fc.nat(60), fc.nat(400)), { maxLength: 200 })
    fc.assert(
      fc.property(counters, (sequence) => {
        const window = new ReplayWindow(32)
        const seen = new Set<number>()
        let highest = -1
        for (const counter of sequence) {
          const expected = !seen.has(counter) && counter > highest - 32
          expect(window.accept(counter), `${counter} in ${sequence}`).to.equal(expected)
          if (expected) seen.add(counter)
          highest = Math.max(highest, counter)
        }
      })
    )
  })
})
