import { expect } from 'chai'
import { TrustedProxies } from '../src/index.js'

describe('trusted proxies', () => {
  const proxies = new TrustedProxies(['10.0.0.0/8', '::1'], 'trustedProxies')

  it('name the client: the last address that is not one of theirs', () => {
    expect(proxies.clientOf('10.0.0.1', '203.0.113.9, 198.51.100.7, 10.0.0.2')).equal('198.51.100.7')
    expect(proxies.clientOf('::1', '[2001:DB8::1]:4711')).equal('2001:db8::1')
    expect(proxies.clientOf('::ffff:10.0.0.1', '198.51.100.7:4711')).equal('198.51.100.7')
    expect(proxies.clientOf('10.0.0.1', '10.0.0.3, 10.0.0.2')).equal('10.0.0.3')
  })

  it('are not believed when the connection is not from one, nor beyond what is no address', () => {
    expect(proxies.clientOf('198.51.100.1', '203.0.113.9')).equal('198.51.100.1')
    expect(proxies.clientOf('10.0.0.1', undefined)).equal('10.0.0.1')
    expect(proxies.clientOf('10.0.0.1', '203.0.113.9, unknown')).equal('10.0.0.1')
    expect(proxies.clientOf('10.0.0.1', '203.0.113.9, unknown, 10.0.0.2')).equal('10.0.0.2')
    expect(new TrustedProxies([], 'x').has('10.0.0.1')).equal(false)
  })

  it('take a chain of any length in a bounded time', () => {
    expect(proxies.clientOf('10.0.0.1', ['203.0.113.9', ...new Array(100_000).fill('10.0.0.2')].join(','))).equal(
      '10.0.0.2'
    )
  })

  it('are addresses and networks', () => {
    expect(() => new TrustedProxies(['home'], 'trustedProxies')).throws('trustedProxies: "home" is neither')
  })
})
