import { expect } from 'chai'
import { bytesOf, durationOf, networkOf, networks, plainAddress, rateOf, TokenBucket } from '../src/index.js'

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

describe('addresses', () => {
  it('have one form', () => {
    expect(plainAddress('127.0.0.1')).equal('127.0.0.1')
    for (const mapped of ['::ffff:127.0.0.1', '::FFFF:7f00:1', '0:0:0:0:0:ffff:7f00:0001']) {
      expect(plainAddress(mapped), mapped).equal('127.0.0.1')
    }
    for (const same of [
      '2001:db8::1',
      '2001:0DB8:0:0::1',
      '2001:db8:0:0:0:0:0:1',
      '2001:db8::1%eth0',
      '2001:db8::0.0.0.1'
    ]) {
      expect(plainAddress(same), same).equal('2001:db8:0:0:0:0:0:1')
    }
    expect(['::', '1::', '::1'].map(plainAddress)).deep.equal(['0:0:0:0:0:0:0:0', '1:0:0:0:0:0:0:0', '0:0:0:0:0:0:0:1'])
    expect(plainAddress('Unknown')).equal('unknown')
  })

  it('are together what one host can have: the address for IPv4, the /64 for IPv6', () => {
    expect(networkOf('::ffff:10.1.2.3')).equal('10.1.2.3')
    expect(networkOf('2001:db8:1:2:3:4:5:6')).equal('2001:db8:1:2::/64').equal(networkOf('2001:db8:1:2::ffff'))
    expect(networkOf('2001:db8:1:3::1')).not.equal(networkOf('2001:db8:1:2::1'))
  })
})

describe('networks', () => {
  const inside = networks(['10.0.0.0/8', '2001:db8::/32', '192.0.2.7', '::1', '::ffff:172.16.0.0/108'], 'x')

  it('hold addresses of both families, in any form', () => {
    for (const address of [
      '10.255.0.1',
      '::ffff:10.0.0.1',
      '::ffff:a00:1',
      '2001:db8:ffff::1',
      '192.0.2.7',
      '::1',
      '172.31.0.1'
    ])
      expect(inside(address), address).equal(true)
  })

  it('do not hold others, nor what is no address', () => {
    for (const address of ['11.0.0.1', '::10.0.0.1', '2001:db9::', '192.0.2.8', '::2', '172.32.0.1', 'unknown', ''])
      expect(inside(address), address).equal(false)
    expect(networks([], 'x')('10.0.0.1')).equal(false)
    expect(networks(['0.0.0.0/0'], 'x')('::1')).equal(false)
  })

  it('are refused when they are none', () => {
    for (const text of [
      '',
      '10.0.0.0/33',
      '10.0.0/8',
      '::/129',
      '10.0.0.0/',
      '10.0.0.0/-1',
      '::ffff:10.0.0.0/8',
      'home'
    ])
      expect(() => networks([text], 'options.exempt'), text).throws('options.exempt')
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
