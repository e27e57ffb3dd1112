import { expect } from 'chai'
import fc from 'fast-check'
import { formatPorts, parsePorts, portAllowed } from '../src/index.js'

describe('ports', () => {
  it('are numbers, text and ranges, sorted, and made into one where they touch', () => {
    expect(parsePorts([30_000, '20000-20010', '20011-20020', '25', { from: 20_005, to: 20_030 }])).to.deep.equal([
      { from: 25, to: 25 },
      { from: 20_000, to: 20_030 },
      { from: 30_000, to: 30_000 }
    ])
  })

  it('may be an empty list', () => {
    expect(parsePorts([])).to.deep.equal([])
    expect(portAllowed([], 80)).to.equal(false)
    expect(formatPorts([])).to.equal('none')
  })

  it('are shown to people', () => expect(formatPorts(parsePorts(['10-20', 30]))).to.equal('10-20, 30'))

  it('that go down are refused, with the way up', () =>
    expect(() => parsePorts(['29999-20000'])).to.throw(RangeError, "'20000-29999'"))

  const bad = [
    0,
    -1,
    65_536,
    1.5,
    Number.NaN,
    '',
    '0',
    '1-',
    '-1',
    '1-65536',
    '1 - 2',
    'http',
    '1-2-3',
    '080',
    null,
    [1],
    {},
    { from: 1 },
    { from: '1', to: 2 }
  ]
  for (const value of bad)
    it(`${JSON.stringify(value)} is refused`, () => expect(() => parsePorts([value])).to.throw(RangeError))
  it('that are no list are refused', () => expect(() => parsePorts('20000-29999')).to.throw(RangeError))

  it('hold exactly those that were written', () => {
    const port = fc.integer({ min: 1, max: 65_535 })
    const range = fc.tuple(port, port).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), port, (ranges, tried) => {
        const parsed = parsePorts(ranges.map(({ from, to }) => `${from}-${to}`))
        expect(portAllowed(parsed, tried)).to.equal(ranges.some(({ from, to }) => from <= tried && tried <= to))
        expect(parsePorts(parsed), 'what is parsed can be parsed again').to.deep.equal(parsed)
        for (const [i, { from }] of parsed.entries())
          if (i > 0) expect(from).to.be.greaterThan((parsed[i - 1]?.to ?? 0) + 1)
      })
    )
  })
})
