import { expect } from 'chai'
import { stepsNamed } from './steps.js'
import { judge, type Pair, PAIRS } from './verdict.js'

const pairs = (...ratios: number[]): Pair[] => ratios.map((ratio) => ({ here: 100 * ratio, there: 100 }))
const all = (ratio: number): Pair[] => pairs(...Array.from({ length: PAIRS }, () => ratio))

describe('a comparison with the commit before', () => {
  it('says slower only when all pairs do', () => {
    expect(judge(all(1.11), 0.1)).to.equal('slower')
    for (let one = 0; one < PAIRS; one += 1) {
      const mixed = all(1.5)
      mixed[one] = { here: 109, there: 100 }
      expect(judge(mixed, 0.1), `pair ${one}`).to.equal('same')
    }
  })

  it('is open until there are enough pairs, and over with the first that is within the limit', () => {
    expect(judge([], 0.1)).to.equal('open')
    expect(judge(all(1.2).slice(1), 0.1)).to.equal('open')
    expect(judge(pairs(1.05), 0.1)).to.equal('same')
  })
})

describe('names of steps', () => {
  it('stand for one step each, or for all that have them in theirs', () => {
    expect(stepsNamed(['quic-up']).map(({ name }) => name)).to.deep.equal(['quic-up'])
    const names = stepsNamed(['tls-yamux-up', 'quic', 'quic-up8']).map(({ name }) => name)
    expect(names).to.include.members(['tls-yamux-up', 'quic-up', 'quic-down', 'quic-trips'])
    expect(new Set(names).size).to.equal(names.length)
  })

  it('that stand for none are said, also beside others', () => {
    expect(() => stepsNamed(['quic-up', 'quik-down'])).to.throw('no step has quik-down in its name')
  })
})
