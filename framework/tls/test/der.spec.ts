import { expect } from 'chai'
import { DerReader, inside, oidOf, plainHex, textOf, timeOf } from '../src/der.js'

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const only = (hex: string) => new DerReader(bytes(hex)).next()

describe('reading DER', () => {
  it('finds elements one behind the other, and in one another', () => {
    const reader = new DerReader(bytes('30 03 02 01 05 0c 02 c3 bc'))
    expect(inside(reader.take(0x30)).take(0x02).content).to.deep.equal(bytes('05'))
    expect(reader.optional(0x30)).to.equal(undefined)
    expect(textOf(reader.next())).to.equal('ü')
    expect(reader.more).to.equal(false)
  })

  it('refuses what is cut, and lengths and tags that DER does not have', () => {
    for (const hex of ['', '30', '30 02 05', '30 82 01', '30 80 00 00', '30 81 05 00', '30 82 00 80', '1f 81 01 00']) {
      expect(() => only(hex), hex).to.throw(/^DER: /)
    }
    expect(() => only(`30 85 01 00 00 00 00`)).to.throw(/^DER: /)
    expect(() => new DerReader(bytes('02 01 05')).take(0x30)).to.throw(/tag 2 where 48/)
  })

  it('reads object identifiers, times and serial numbers', () => {
    expect(oidOf(only('06 06 2a 86 48 ce 3d 04'))).to.equal('1.2.840.10045.4')
    expect(oidOf(only('06 03 55 04 03'))).to.equal('2.5.4.3')
    expect(oidOf(only('06 03 88 37 01'))).to.equal('2.999.1')
    expect(() => oidOf(only('06 09 2a ff ff ff ff ff ff ff ff'))).to.throw(/too large/)
    const utc = (text: string) => timeOf({ tag: 0x17, content: Buffer.from(text), raw: Buffer.alloc(0) })
    expect(utc('491231235959Z')).to.equal(Date.UTC(2049, 11, 31, 23, 59, 59))
    expect(utc('500101000000Z')).to.equal(Date.UTC(1950, 0, 1))
    expect(() => utc('5001010000Z')).to.throw(/malformed time/)
    expect([plainHex('00:0A:ff'), plainHex('0'), plainHex('000')]).to.deep.equal(['aff', '0', '0'])
  })

  it('gives no text for bytes that their type does not allow', () => {
    for (const hex of ['0c 02 c3 28', '13 01 ff', '16 01 80', '1e 01 41', '14 01 41', '02 01 41']) {
      expect(textOf(only(hex)), hex).to.equal(undefined)
    }
    expect(textOf(only('1e 02 00 fc'))).to.equal('ü')
  })
})
