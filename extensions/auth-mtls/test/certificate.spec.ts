import { expect } from 'chai'
import { readCertificate } from '../src/certificate.js'
import { authority, certificate } from './made.js'

describe('reading a certificate', () => {
  it('throws for a certificate that is cut anywhere, and never for one with a byte changed but by an error', () => {
    const { der } = certificate(authority(), { names: ['email:a@example.org'] })
    for (let length = 0; length < der.length; length++)
      expect(() => readCertificate(der.subarray(0, length))).to.throw()
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der)
      changed[at] = (changed[at] ?? 0) ^ 0x81
      try {
        expect(readCertificate(changed).fingerprint).to.match(/^[0-9a-f]{64}$/)
      } catch (error) {
        expect(error).to.be.instanceOf(Error).and.not.be.instanceOf(TypeError)
      }
    }
  })
})
