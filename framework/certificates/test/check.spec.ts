import { expect } from 'chai'
import { X509Certificate } from 'node:crypto'
import {
  checkAuthorities,
  checkCrls,
  checkPair,
  describeCertificate,
  fingerprintOf,
  issueServer,
  type KeyPair,
  makeAuthority,
  revoke,
  selfSigned
} from '../src/index.js'
import { assemble, subjectOf } from '../src/assemble.js'
import { toPem } from '../src/pem.js'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { authority } from './authority.js'

const day = 86_400_000

describe('certificates that are looked at', () => {
  let ca: KeyPair
  let pair: KeyPair

  before(async () => {
    ca = await authority()
    pair = await issueServer(ca, { commonName: 'x.example' })
  })

  it('a pair that is fine has nothing to tell', () => {
    expect(checkPair(pair.cert, pair.key)).to.deep.equal({ problems: [], warnings: [] })
    expect(checkPair(pair.cert)).to.deep.equal({ problems: [], warnings: [] })
  })

  it('warns in the last 30 days, and finds it expired or too early', () => {
    const end = Date.parse(new X509Certificate(pair.cert).validTo)
    const at = (now: number) => checkPair(pair.cert, pair.key, now)
    expect(at(end - 30 * day)).to.deep.equal({ problems: [], warnings: [] })
    expect(at(end - 30 * day + 1).warnings[0]).to.match(/^the certificate expires on \d{4}-\d\d-\d\d, in 29 days$/)
    expect(at(end - day).warnings[0]).to.match(/in 1 day$/)
    expect(at(end + 1).problems[0]).to.match(/^the certificate expired on \d{4}-\d\d-\d\d, 1 day ago$/)
    expect(at(Date.now() - 2 * day).problems[0]).to.match(/is not valid before .*; check the clock/)
  })

  it('finds keys of others, garbage, and nothing at all', async () => {
    const other = await selfSigned({ commonName: 'y.example' })
    expect(checkPair(pair.cert, other.key).problems).to.deep.equal(['the key does not belong to the certificate'])
    expect(checkPair(pair.cert, 'x').problems[0]).to.match(/^the key cannot be read/)
    expect(checkPair('x', pair.key).problems[0]).to.match(/no certificate/)
    const broken = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'
    expect(checkPair(broken, pair.key).problems[0]).to.match(/cannot be read/)
  })

  it('issuers that end sooner are warned of; of several authorities one may be over', async () => {
    const soon = await makeAuthority({ commonName: 'soon', bits: 2048, days: 5 })
    expect(checkPair(pair.cert + soon.cert, pair.key).warnings[0]).to.match(
      /^its issuer CN=soon expires on .*, in 4 days/
    )
    const old = await makeAuthority({ commonName: 'old', bits: 2048, days: 5, notBefore: new Date('2020-01-01') })
    expect(checkAuthorities(ca.cert)).to.deep.equal({ problems: [], warnings: [] })
    expect(checkAuthorities(ca.cert + old.cert).problems).to.deep.equal([])
    expect(checkAuthorities(ca.cert + old.cert).warnings[0]).to.match(/^CN=old expired on 2020-01-06/)
    expect(checkAuthorities(old.cert).problems[0]).to.match(/^CN=old expired/)
    expect(checkAuthorities('x').problems[0]).to.match(/no certificate/)
  })

  it('expired lists refuse every client, and warn before they expire', async () => {
    const crl = await revoke(ca, [])
    const end = Date.parse(new X509Certificate(ca.cert).validTo)
    expect(checkCrls(crl)).to.deep.equal({ problems: [], warnings: [] })
    expect(checkCrls(crl, end - 3 * day).warnings[0]).to.match(/^expires on .*, in 3 days/)
    expect(checkCrls(crl, end + day).problems[0]).to.match(/^expired on/)
    expect(checkCrls(ca.cert).problems[0]).to.match(/no revocation list/)
  })

  it('all of a bundle is described, and the fingerprint is that of node:crypto', () => {
    const [leaf, issuer] = describeCertificate(pair.cert)
    expect(leaf?.issuer).to.equal(issuer?.subject)
    const wanted = new X509Certificate(pair.cert).fingerprint256.replaceAll(':', '').toLowerCase()
    for (const form of [pair.cert, new X509Certificate(pair.cert), new X509Certificate(pair.cert).raw])
      expect(fingerprintOf(form)).to.equal(`sha256:${wanted}`)
    expect(leaf?.fingerprint).to.equal(`sha256:${wanted}`)
  })

  it('what hostile certificates say is shown without control characters', async () => {
    const signer = createPrivateKey(pair.key)
    const der = await assemble({
      subject: subjectOf('a\u001b[31m\nCN=b\u202e'),
      names: [{ tag: 2, bytes: Buffer.from('x\u001b]0;owned\u0007') }],
      notBefore: new Date(0),
      notAfter: new Date(1000),
      publicKey: createPublicKey(signer),
      usage: 0x80,
      authority: false,
      signer
    })
    const [facts] = describeCertificate(toPem('CERTIFICATE', der))
    expect(JSON.stringify([facts?.subject, facts?.names])).not.to.match(/\\u00|\\n|\u202e/)
    expect(facts?.subject).to.include('[31m')
    expect(facts?.names).to.deep.equal(['x\\x1b]0;owned\\x07'])
  })
})
