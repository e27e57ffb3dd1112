import { expect } from 'chai'
import { networkOf, networks, plainAddress } from '../src/index.js'

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
      expect(plainAddress(same), same).equal('2001:db8::1')
    }
    expect(['::', '1::', '::1'].map(plainAddress)).deep.equal(['::', '1::', '::1'])
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

  it('are refused when they are malformed', () => {
    for (const text of [
      '',
      '10.0.0.0/33',
      '10.0.0.0/8/8',
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
