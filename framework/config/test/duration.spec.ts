import { expect } from 'chai'
import fc from 'fast-check'
import { maxDuration, parseDuration } from '../src/duration.js'

describe('a duration', () => {
  const good: [string | number, number][] = [
    [250, 250],
    [0, 0],
    [1.6, 2],
    ['250ms', 250],
    ['30s', 30_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1.5h', 5_400_000],
    ['1d', 86_400_000]
  ]
  for (const [written, ms] of good)
    it(`${JSON.stringify(written)} is ${ms} ms`, () => expect(parseDuration(written)).to.equal(ms))

  for (const written of [
    '',
    '5',
    '5 s',
    ' 5s',
    '5S',
    '-5s',
    '+5s',
    '5y',
    '05s',
    '1e3s',
    '5s5s',
    '٥s',
    '.5s',
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '30d',
    maxDuration + 1,
    null,
    undefined,
    true,
    {},
    ['5s'],
    5n
  ])
    it(`${typeof written} ${String(written)} is refused`, () =>
      expect(() => parseDuration(written)).to.throw(RangeError, 'expected a duration'))

  it('is a whole number of milliseconds that a timer can take, or refused', () =>
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double(), fc.stringMatching(/^[0-9.]{1,6}(ms|s|m|h|d)$/)), (written) => {
        try {
          const ms = parseDuration(written)
          return Number.isInteger(ms) && ms >= 0 && ms <= maxDuration
        } catch (error) {
          return error instanceof RangeError
        }
      })
    ))
})
