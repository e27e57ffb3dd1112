import { expect } from 'chai'
import fc from 'fast-check'
import { Backoff } from '../src/index.js'

describe('a back-off', () => {
  it('waits anywhere between nothing and a limit that doubles up to the longest', () => {
    for (const random of [() => 0, () => 0.5, () => 1 - Number.EPSILON]) {
      const backoff = new Backoff({ min: 250, max: 30_000, random })
      const delays = Array.from({ length: 10 }, () => backoff.next())
      expect(delays).to.deep.equal(
        [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000].map((limit) => Math.round(limit * random()))
      )
    }
  })

  it('never waits longer than the longest, however often it is asked', () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.nat(100_000), fc.double({ min: 0, max: 0.999, noNaN: true }), (min, max, random) => {
        const backoff = new Backoff({ min, max, random: () => random })
        for (let count = 0; count < 1200; count += 1) {
          const delay = backoff.next()
          if (!(delay >= 0 && delay <= max && Number.isInteger(delay))) throw new Error(`${delay} ms`)
        }
      }),
      { numRuns: 30 }
    )
  })

  it('begins anew after a success', () => {
    const backoff = new Backoff({ random: () => 0.99 })
    for (let count = 0; count < 5; count += 1) backoff.next()
    expect(backoff.attempts).to.equal(5)
    backoff.reset()
    expect(backoff.next()).to.be.at.most(250)
  })

  it('spreads many clients', () => {
    const delays = new Set(Array.from({ length: 100 }, () => new Backoff({ min: 10_000 }).next()))
    expect(delays.size).to.be.above(80)
  })
})
