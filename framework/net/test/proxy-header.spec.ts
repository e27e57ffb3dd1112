import { expect } from 'chai'
import { crc32c } from '../src/crc32c.js'
import { parseProxyHeader } from '../src/proxy-header.js'

const v1 = (line: string): Buffer => Buffer.from(`${line}\r\n`, 'latin1')
const v2 = (hex: string): Buffer => Buffer.from(`0d0a0d0a000d0a515549540a${hex}`.replaceAll(' ', ''), 'hex')

const four = { remoteAddress: '192.0.2.1', remotePort: 56_324, localAddress: '198.51.100.9', localPort: 443 }
const six = { remoteAddress: '2001:db8::1', remotePort: 1, localAddress: '2001:db8::2', localPort: 65_535 }
const ADDRESSES4 = 'c0000201 c6336409 dc04 01bb'
const ADDRESSES6 = '20010db8000000000000000000000001 20010db8000000000000000000000002 0001 ffff'

/** A header whose last field is its checksum, which is all zeros in `hex`. */
const checked = (hex: string): Buffer => {
  const header = v2(hex)
  header.writeUInt32BE(crc32c(header), header.length - 4)
  return header
}
const CHECKSUM = '03 0004 00000000'

const valid: Record<string, [Buffer, object | undefined]> = {
  'version 1, IPv4': [v1('PROXY TCP4 192.0.2.1 198.51.100.9 56324 443'), four],
  'version 1, IPv6': [v1('PROXY TCP6 2001:db8::1 2001:DB8:0::2 1 65535'), six],
  'version 1, unknown': [v1('PROXY UNKNOWN'), undefined],
  'version 1, unknown with addresses': [v1('PROXY UNKNOWN ffff::1 ffff::2 1 2'), undefined],
  'version 2, IPv4': [v2(`21 11 000c ${ADDRESSES4}`), four],
  'version 2, IPv4 with more behind it': [v2(`21 11 0013 ${ADDRESSES4} 04 0004 00000000`), four],
  'version 2, IPv4 with a checksum': [checked(`21 11 0013 ${ADDRESSES4} ${CHECKSUM}`), four],
  'version 2, IPv4 with a checksum behind another field': [
    checked(`21 11 0019 ${ADDRESSES4} 02 0003 616263 ${CHECKSUM}`),
    four
  ],
  'version 2, of the proxy itself, with a checksum': [checked(`20 00 0007 ${CHECKSUM}`), undefined],
  'version 2, a socket of the file system with a checksum': [
    checked(`21 31 00df ${'00'.repeat(216)} ${CHECKSUM}`),
    undefined
  ],
  'version 2, IPv6': [v2(`21 21 0024 ${ADDRESSES6}`), six],
  'version 2, a connection of the proxy itself': [v2('20 00 0000'), undefined],
  'version 2, of the proxy itself, with addresses': [v2(`20 11 000c ${ADDRESSES4}`), undefined],
  'version 2, without a family': [v2('21 00 0000'), undefined],
  'version 2, a socket of the file system': [v2(`21 31 00d8 ${'00'.repeat(216)}`), undefined]
}

const invalid: Record<string, Buffer> = {
  'no header': Buffer.from('GET / HTTP/1.1\r\n'),
  'TLS in place of a header': Buffer.from('16030100', 'hex'),
  'another signature': Buffer.from('\r\n\r\n\0\r\nQUIP\n', 'latin1'),
  'lower case': v1('proxy TCP4 192.0.2.1 198.51.100.9 1 2'),
  'a family that does not exist': v1('PROXY TCP5 192.0.2.1 198.51.100.9 1 2'),
  'an address of the other family': v1('PROXY TCP4 2001:db8::1 198.51.100.9 1 2'),
  'an address with an octet above 255': v1('PROXY TCP4 192.0.2.256 198.51.100.9 1 2'),
  'a name': v1('PROXY TCP4 localhost 198.51.100.9 1 2'),
  'a port above 65535': v1('PROXY TCP4 192.0.2.1 198.51.100.9 65536 2'),
  'a port with a zero in front': v1('PROXY TCP4 192.0.2.1 198.51.100.9 01 2'),
  'two blanks': v1('PROXY TCP4  192.0.2.1 198.51.100.9 1 2'),
  'a field too many': v1('PROXY TCP4 192.0.2.1 198.51.100.9 1 2 3'),
  'a line that does not end': Buffer.from(`PROXY UNKNOWN ${'x'.repeat(100)}`),
  'version 3': v2('31 11 000c'),
  'a command that does not exist': v2('22 11 000c'),
  'datagrams over TCP': v2(`21 12 000c ${ADDRESSES4}`),
  'a checksum of other bytes': v2(`21 11 0013 ${ADDRESSES4} 03 0004 00000001`),
  'a checksum of another length': v2(`21 11 0012 ${ADDRESSES4} 03 0003 000000`),
  'a changed address under a checksum': (() => {
    const header = checked(`21 11 0013 ${ADDRESSES4} ${CHECKSUM}`)
    header[16] = 10
    return header
  })(),
  'a field beyond the end': v2(`21 11 0010 ${ADDRESSES4} 02 0004 00`),
  'less than the addresses': v2('21 11 0008 c0000201 c6336409'),
  'more than 4 KiB': v2('21 11 ffff')
}

describe('the header of the PROXY protocol', () => {
  it('has the checksum of RFC 9260 and RFC 3720', () => {
    // Values of RFC 3720, appendix B.4.
    expect(crc32c(Buffer.alloc(32))).to.equal(0x8a9136aa)
    expect(crc32c(Buffer.alloc(32, 0xff))).to.equal(0x62a8ab43)
    expect(crc32c(Buffer.from('123456789'))).to.equal(0xe3069283)
  })

  for (const [what, [header, addresses]] of Object.entries(valid)) {
    it(`is read: ${what}`, () => {
      const bytes = Buffer.concat([header, Buffer.from('the rest')])
      for (let size = 0; size < header.length; size += 1) {
        expect(parseProxyHeader(bytes.subarray(0, size)), `${size} bytes`).to.equal(undefined)
      }
      expect(parseProxyHeader(bytes)).to.deep.equal({
        size: header.length,
        ...(addresses === undefined ? {} : { addresses })
      })
    })
  }

  for (const [what, bytes] of Object.entries(invalid)) {
    it(`is refused: ${what}`, () => {
      expect(() => parseProxyHeader(bytes)).to.throw(RangeError, 'PROXY protocol')
    })
  }
})
