import type { Pacer } from '@rystra/plugin'
import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { FairPace } from '../src/fair-pace.js'

const chunk = 65_536
const rate = 1_000_000

/** Lets streams send chunks at full speed for `ms`; answers with the bytes of each. */
const run = (clock: FakeClock, pacers: readonly Pacer[], ms: number): number[] => {
  const sent = pacers.map(() => 0)
  const free = pacers.map(() => clock.now())
  for (let passed = 0; passed < ms; passed += 1) {
    for (const [index, pacer] of pacers.entries()) {
      while ((free[index] as number) <= clock.now()) {
        sent[index] = (sent[index] as number) + chunk
        const wait = pacer(chunk, 'toVisitor')
        if (wait > 0) free[index] = clock.now() + wait
      }
    }
    clock.advance(1)
  }
  return sent
}

describe('the bandwidth of a proxy', () => {
  it('is kept by one stream and by many together, and shared evenly', () => {
    for (const count of [1, 3, 20]) {
      const clock = new FakeClock()
      const pace = new FairPace(rate, clock)
      const sent = run(
        clock,
        Array.from({ length: count }, () => pace.pacer()),
        60_000
      )
      const total = sent.reduce((sum, bytes) => sum + bytes, 0)
      expect(total / 60, `${count} streams`).to.be.within(rate * 0.95, rate * 1.05)
      expect(Math.max(...sent) / Math.min(...sent), `${count} streams`).to.be.lessThan(1.3)
    }
  })

  it('makes who asks for little wait little, whatever others have taken', () => {
    const clock = new FakeClock()
    const pace = new FairPace(100_000, clock)
    const bulk = Array.from({ length: 10 }, () => pace.pacer())
    run(clock, bulk, 10_000)
    const small = pace.pacer()
    expect(small(100, 'toVisitor')).to.be.lessThan(20)
    expect(small(100, 'toService')).to.equal(0)
  })

  it('gives an idle proxy its burst, and no more', () => {
    const clock = new FakeClock()
    const pacer = new FairPace(rate, clock).pacer()
    expect(pacer(250_000, 'toService')).to.equal(0)
    expect(pacer(1000, 'toService')).to.equal(1)
    clock.advance(3_600_000)
    expect(pacer(250_001, 'toService')).to.be.greaterThan(0)
  })
})
