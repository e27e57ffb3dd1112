import { expect } from 'chai'
import fc from 'fast-check'
import { proxyHeader } from '../src/proxy-protocol.js'

const visitor = (from: string, to: string) => ({ host: from, port: 0x1234, to: { host: to, port: 443 } })

const signature = '0d0a0d0a000d0a515549540a'

describe('a PROXY header', () => {
  it('of version 1 names both ends in text', () => {
    expect(String(proxyHeader('v1', visitor('192.0.2.1', '203.0.113.7')))).to.equal(
      'PROXY TCP4 192.0.2.1 203.0.113.7 4660 443\r\n'
    )
    expect(String(proxyHeader('v1', visitor('2001:db8::1', '::1')))).to.equal('PROXY TCP6 2001:db8::1 ::1 4660 443\r\n')
  })

  it('of version 2 is what the specification says, byte for byte', () => {
    expect(proxyHeader('v2', visitor('192.0.2.1', '203.0.113.7')).toString('hex')).to.equal(
      `${signature}2111000cc0000201cb007107123401bb`
    )
    expect(proxyHeader('v2', visitor('2001:db8::1', '::1')).toString('hex')).to.equal(
      `${signature}21210024${'20010db8000000000000000000000001'}${'00000000000000000000000000000001'}123401bb`
    )
  })

  it('shows an IPv4 visitor of a socket for both families as one, and no zone', () => {
    expect(String(proxyHeader('v1', visitor('::ffff:192.0.2.1', '::ffff:203.0.113.7')))).to.match(/^PROXY TCP4 192/)
    expect(String(proxyHeader('v1', visitor('fe80::1%eth0', 'fe80::2')))).to.match(/^PROXY TCP6 fe80::1 fe80::2 /)
  })

  it('says that it does not know where the ends are of two families, or none', () => {
    for (const odd of [visitor('192.0.2.1', '::1'), visitor('unknown', 'unknown')]) {
      expect(String(proxyHeader('v1', odd))).to.equal('PROXY UNKNOWN\r\n')
      expect(proxyHeader('v2', odd).toString('hex')).to.equal(`${signature}21000000`)
    }
  })

  it('has 16 bytes for every IPv6 address, however it is written', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        expect(proxyHeader('v2', visitor(address, '::1')).length).to.be.oneOf([52, 16])
      })
    )
  })
})
