import { crlsIn, inside, signedOf } from '@rystra/tls'
import { issueClient, makeAuthority, revoke } from '@rystra/certificates'
import { expect } from 'chai'
import { X509Certificate } from 'node:crypto'
import { Revocations } from '../src/client-certificate.js'

const der = (tag: number, ...content: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(content)
  const length = Buffer.from(body.length.toString(16).padStart(6, '0'), 'hex')
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body])
  const least = length.subarray(length.findIndex((byte) => byte !== 0))
  return Buffer.concat([Buffer.of(tag, 0x80 | least.length), least, body])
}

/** The critical extension of a list that has only what is new (RFC 5280 §5.2.4): those since list number 1. */
const changesOnly = der(
  0xa0,
  der(0x30, der(0x30, Buffer.from('0603551d1b0101ff', 'hex'), der(0x04, Buffer.from('020101', 'hex'))))
)

/** The list, saying that it has only what is new. */
const asChanges = (pem: string): string => {
  const { body } = signedOf(crlsIn(Buffer.from(pem))[0] as Buffer)
  const fields = inside(body)
    .rest()
    .filter(({ tag }) => tag !== 0xa0)
    .map(({ raw }) => raw)
  const list = der(
    0x30,
    der(0x30, ...fields, changesOnly),
    der(0x30, der(0x06, Buffer.of(42))),
    der(0x03, Buffer.of(0))
  )
  return `-----BEGIN X509 CRL-----\n${list.toString('base64')}\n-----END X509 CRL-----\n`
}

describe('revocation lists of quic', () => {
  it('that have only the changes revoke, and keep earlier revocations', async () => {
    const authority = await makeAuthority({ keyType: 'ec', commonName: 'own' })
    const [ann, eve] = [
      await issueClient(authority, { keyType: 'ec', commonName: 'ann' }),
      await issueClient(authority, { keyType: 'ec', commonName: 'eve' })
    ].map(({ cert }) => new X509Certificate(cert).raw) as [Buffer, Buffer]
    const whole = await revoke(authority, [])
    const changes = asChanges(await revoke(authority, [new X509Certificate(eve).toString()]))

    const alone = new Revocations(changes)
    expect([alone.check(ann), alone.check(eve)]).to.deep.equal(['UNABLE_TO_GET_CRL', 'CERT_REVOKED'])
    const both = new Revocations(whole + changes)
    expect([both.check(ann), both.check(eve)]).to.deep.equal([undefined, 'CERT_REVOKED'])
  })
})
