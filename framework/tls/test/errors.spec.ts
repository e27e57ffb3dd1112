import { RystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { tlsError } from '../src/index.js'
import { crlEnds } from '../src/crl.js'
import { DerReader } from '../src/der.js'
import { hasExtendedMasterSecret } from '../src/facts.js'
import { certificates } from './world.js'

const of = (code: unknown, message = 'x'): Error => Object.assign(new Error(message), { code })

describe('errors of TLS', () => {
  const rows: [string, string, 'client' | 'server' | undefined][] = [
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls.untrusted', 'client'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls.untrusted', 'client'],
    ['CERT_HAS_EXPIRED', 'tls.expired', 'client'],
    ['CERT_REVOKED', 'tls.revoked', 'client'],
    ['CRL_HAS_EXPIRED', 'tls.untrusted', 'client'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls.wrong-host', 'client'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls.not-tls', 'client'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tls.untrusted', 'server'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls.certificate-required', 'server'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'tls.expired', 'server'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'tls.handshake', 'server'],
    ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'tls.handshake', 'server'],
    ['ERR_SSL_SSLV3_ALERT_UNEXPECTED_MESSAGE', 'tls.not-tls', 'server'],
    ['ERR_SSL_SOMETHING_NEW', 'tls.handshake', 'client'],
    ['ERR_SSL_TLSV1_ALERT_SOMETHING_NEW', 'tls.handshake', 'server'],
    ['ECONNRESET', 'connect.unreachable', undefined],
    ['toString', 'connect.unreachable', undefined]
  ]
  for (const [code, expected, side] of rows) {
    it(`say ${expected} for ${code}`, () => {
      const error = tlsError(of(code), 'client', 'tls there:1')
      expect([error.code, error.side]).to.deep.equal([expected, side])
      expect(error.detail).to.match(/^tls there:1, ./)
      expect(error.cause).to.be.an('error')
    })
  }

  it('name the side that found it, seen from either', () => {
    expect(tlsError(of('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'), 'server', 'x').side).to.equal('client')
    expect(tlsError(of('CERT_REVOKED'), 'server', 'x')).to.include({
      side: 'server',
      hint: 'give the client a new `cert`'
    })
  })

  it('leave errors of own as they are, and take what signals give', () => {
    const own = new RystraError('connect.proxy')
    expect(tlsError(own, 'client', 'x')).to.equal(own)
    expect(tlsError(new DOMException('over', 'AbortError'), 'client', 'x').code).to.equal('connect.unreachable')
  })
})

describe('what is read of DER', () => {
  it('is the end of a revocation list, and nothing of what is not valid', async () => {
    const { crl } = await certificates()
    expect(crlEnds(crl)).to.be.above(Date.now())
    const cut = crl.split('\n').slice(0, 3).join('\n')
    for (const bad of ['', 'no list', cut, '-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----']) {
      expect(crlEnds(bad), bad).to.equal(undefined)
    }
  })

  it('is bounded by what is there', () => {
    for (const bad of ['30', '3005', '30800000', '30840000', '3084ffffffff', '308901']) {
      expect(() => new DerReader(Buffer.from(bad, 'hex')).rest(), bad).to.throw()
    }
    expect(new DerReader(Buffer.from('020101040161', 'hex')).rest().map(({ tag }) => tag)).to.deep.equal([2, 4])
  })

  it('is the extended master secret of a session, only where it says so', () => {
    const session = (flags: string): Buffer => {
      const body = `020101${flags}`
      return Buffer.from(`30${(body.length / 2).toString(16).padStart(2, '0')}${body}`, 'hex')
    }
    expect(hasExtendedMasterSecret(session('ad03020101'))).to.equal(true)
    expect(hasExtendedMasterSecret(session('ad03020100'))).to.equal(false)
    expect(hasExtendedMasterSecret(session('ad03020102'))).to.equal(false)
    for (const none of [undefined, Buffer.alloc(0), session(''), session('ad00'), Buffer.from('garbage')]) {
      expect(hasExtendedMasterSecret(none)).to.equal(false)
    }
  })
})
