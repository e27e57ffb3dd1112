import { expect } from 'chai'
import { RoundTrip } from '../src/round-trip.js'

const after = (...samples: readonly number[]): number => {
  const roundTrip = new RoundTrip()
  for (const sample of samples) roundTrip.add(sample)
  return roundTrip.ms
}
const times = (count: number, sample: number): number[] => Array.from({ length: count }, () => sample)

describe('the round trip that windows are measured by', () => {
  it('is the first sample, and follows a shorter one at once', () => {
    expect([after(40), after(40, 10), after(40, ...times(30, 500), 41)]).to.deep.equal([40, 10, 41])
  })

  it('stays near the minimum while a bulk transfer fills the queues for a minute', () => {
    // A link in use is measured every two seconds.
    expect(after(40, ...times(30, 500))).to.be.within(40, 64)
  })

  it('follows a path that has become longer', () => {
    expect(after(40, ...times(200, 500))).to.equal(500)
  })

  it('is at least a millisecond', () => {
    expect([after(), after(0.05)]).to.deep.equal([1, 1])
  })
})
