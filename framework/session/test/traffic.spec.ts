import { expect } from 'chai'
import { TrafficTotals } from '../src/index.js'

describe('the counts of refusals', () => {
  it('tell 64 codes of extensions apart, whatever the other side sends, and lose none', () => {
    const totals = new TrafficTotals()
    for (let n = 0; n < 1000; n += 1) totals.refuse(`made.up-${n}`)
    totals.refuse('made.up-3')
    totals.refuse('stream.limit')
    const { refused } = totals
    expect(Object.keys(refused)).to.have.length(64 + 2)
    expect([refused['made.up-3'], refused['internal'], refused['stream.limit']]).to.deep.equal([2, 1000 - 64, 1])
  })
})
