import { expect } from 'chai'
import { bytesOf, durationOf, rateOf, TokenBucket } from '../src/index.js'

describe('amounts', () => {
  it('are bytes in units of 1000, or of 1024 with an i', () => {
    expect(['0', '7', '7B', '500kB', '10MB', '10MB/s', '1.5GiB', '2Ti', '1KiB'].map(bytesOf)).deep.equal([
      0,
      7,
      7,
      500_000,
      10_000_000,
      10_000_000,
      1.5 * 2 ** 30,
      2 * 2 ** 40,
      1024
    ])
  })

  it('are durations in milliseconds', () => {
    expect(['0s', '250ms', '30s', '15m', '1.5h', '1d'].map(durationOf)).deep.equal([
      0, 250, 30_000, 900_000, 5_400_000, 86_400_000
    ])
  })

  it('are rates a second', () => {
    expect(['0/s', '20/s', '90/m', '7200/h', '0.5/s'].map(rateOf)).deep.equal([0, 20, 1.5, 2, 0.5])
  })

  it('refuse what they cannot read', () => {
    for (const parse of [bytesOf, durationOf, rateOf]) {
      for (const text of ['', '-1', 'many', '1 0', '07s', '1e9', '10Mb/m/s']) expect(() => parse(text)).throws(text)
    }
  })
})

describe('a token bucket', () => {
  it('goes on filling after its clock was set back', () => {
    const bucket = new TokenBucket(10, 10, 1_000_000)
    expect(bucket.spend(20, 1_000_000)).equal(1000)
    expect(bucket.tokens(400_000)).equal(-10)
    expect(bucket.tokens(401_000)).equal(0)
    expect(bucket.take(1, 401_100)).equal(true)
  })

  it('has no more than its burst after the clock was set forward', () => {
    const bucket = new TokenBucket(10, 10, 0)
    expect(bucket.tokens(Number.MAX_SAFE_INTEGER)).equal(10)
  })
})
