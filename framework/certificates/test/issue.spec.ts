import { expect } from 'chai'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import {
  type CertificateOptions,
  describeCertificate,
  issueClient,
  issueServer,
  makeAuthority,
  selfSigned
} from '../src/index.js'
import { assemble, subjectOf, usages } from '../src/assemble.js'
import { certificatesOf, toPem } from '../src/pem.js'
import { codeOf } from './codes.js'
import { authority } from './authority.js'

const day = 86_400_000
const x509 = (pem: string): X509Certificate => new X509Certificate(pem)

describe('certificates that are made', () => {
  it('an authority: critical CA:TRUE without authorities below it, ten years, and a PKCS#8 key that fits', async () => {
    const ca = await authority()
    const certificate = x509(ca.cert)
    expect(certificate.ca).to.equal(true)
    expect(certificate.checkPrivateKey(createPrivateKey(ca.key))).to.equal(true)
    expect(certificate.verify(certificate.publicKey)).to.equal(true)
    expect(ca.key).to.match(/^-----BEGIN PRIVATE KEY-----\n/)
    const [facts] = describeCertificate(ca.cert)
    expect(facts).to.deep.include({ authority: true, selfSigned: true, state: 'valid', key: 'rsa 3072' })
    expect(facts?.usages).to.deep.equal(['keyCertSign', 'crlSign'])
    expect(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)).to.equal(3650 * day)
    expect(Date.parse(certificate.validFrom)).to.be.lessThan(Date.now() - 3_500_000)
    // pathLenConstraint 0, and the extension critical: 30 0f 06 03 55 1d 13 01 01 ff 04 05 30 03 01 01 ff … with 02 01 00.
    expect(certificate.raw.includes(Buffer.from('0603551d130101ff0408300601' + '01ff020100', 'hex'))).to.equal(true)
  })

  it('a server: issued by the authority, with every kind of name, for 397 days', async () => {
    const ca = await authority()
    const names = [
      'Bücher.example',
      '*.example.org',
      '192.0.2.7',
      '2001:db8::1',
      '::ffff:192.0.2.8',
      'email:a@b.example',
      'uri:spiffe://x/y'
    ]
    const pair = await issueServer(ca, { commonName: 'bücher ☃', names: [...names, 'BÜCHER.example.'] })
    const [leafPem = '', issuerPem = ''] = certificatesOf(pair.cert)
    const leaf = x509(leafPem)
    const issuer = x509(issuerPem)
    expect(issuer.raw.equals(x509(ca.cert).raw), 'the chain follows').to.equal(true)
    expect(leaf.checkIssued(issuer)).to.equal(true)
    expect(leaf.verify(issuer.publicKey)).to.equal(true)
    expect(leaf.checkPrivateKey(createPrivateKey(pair.key))).to.equal(true)
    expect(leaf.ca).to.equal(false)
    expect(leaf.checkHost('xn--bcher-kva.example')).to.equal('xn--bcher-kva.example')
    expect(leaf.checkHost('a.example.org')).to.equal('*.example.org')
    expect(leaf.checkHost('a.b.example.org')).to.equal(undefined)
    expect(leaf.checkHost('localhost'), 'no name is added silently').to.equal(undefined)
    expect(leaf.checkIP('192.0.2.7')).to.equal('192.0.2.7')
    expect(leaf.checkIP('2001:db8::1')).to.equal('2001:db8::1')
    expect(leaf.checkIP('192.0.2.9')).to.equal(undefined)
    expect(leaf.checkEmail('a@b.example')).to.equal('a@b.example')
    const [facts] = describeCertificate(pair.cert)
    expect(facts?.names).to.deep.equal([
      'xn--bcher-kva.example',
      '*.example.org',
      '192.0.2.7',
      '2001:db8::1',
      '::ffff:c000:208',
      'email:a@b.example',
      'uri:spiffe://x/y'
    ])
    expect(facts).to.deep.include({ subject: 'CN=bücher ☃', issuer: 'CN=Prüfstelle', key: 'rsa 2048' })
    expect(facts?.usages).to.deep.equal(['digitalSignature', 'keyEncipherment', 'serverAuth'])
    expect(facts?.daysLeft).to.equal(396)
    expect(facts?.serial).to.match(/^[4-7][0-9a-f]{31}$/)
  })

  it('a client: clientAuth, and no name but those given; serials differ', async () => {
    const ca = await authority()
    const [one, two] = await Promise.all([
      issueClient(ca, { commonName: 'home' }),
      issueClient(ca, { commonName: 'home' })
    ])
    const [a, b] = [one, two].map(({ cert }) => describeCertificate(cert)[0])
    expect(a?.usages).to.deep.equal(['digitalSignature', 'clientAuth'])
    expect(a?.names).to.deep.equal([])
    expect(a?.serial).not.to.equal(b?.serial)
    expect(one.key).not.to.equal(two.key)
  })

  it('a self-signed one is no authority, and is for servers', async () => {
    const [facts, more] = describeCertificate((await selfSigned({ commonName: 'rystra' })).cert)
    expect(more).to.equal(undefined)
    expect(facts).to.deep.include({ authority: false, selfSigned: true, names: ['rystra'] })
    expect(facts?.usages).to.include('serverAuth')
    expect(facts?.daysLeft).to.equal(3649)
  })

  it('dates: in the past when asked for, beyond 2050, and never beyond the authority', async () => {
    const ca = await authority()
    const past = await issueServer(ca, {
      commonName: 'x.example',
      notBefore: new Date('2020-01-01T00:00:00Z'),
      days: 3
    })
    const [expired] = describeCertificate(past.cert)
    expect(expired).to.deep.include({ state: 'expired', notAfter: '2020-01-04T00:00:00.000Z' })
    const long = await selfSigned({ commonName: 'x.example', days: 36_500 })
    expect(new Date(x509(long.cert).validTo).getUTCFullYear()).to.be.greaterThan(2100)
    const capped = await issueServer(ca, { commonName: 'x.example', days: 36_500 })
    expect(x509(capped.cert).validTo).to.equal(x509(ca.cert).validTo)
    const over = await makeAuthority({ commonName: 'over', bits: 2048, notBefore: new Date('2020-01-01'), days: 2 })
    expect(await codeOf(issueServer(over, { commonName: 'x.example' }))).to.match(
      /^cert\.invalid: .*not valid any more/
    )
  })

  for (const type of ['ec', 'ed25519'] as const) {
    it(`an authority with an ${type} key, made elsewhere, signs too`, async () => {
      const { publicKey, privateKey } =
        type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
      const der = await assemble({
        subject: subjectOf('elsewhere'),
        names: [],
        notBefore: new Date(Date.now() - day),
        notAfter: new Date(Date.now() + day),
        publicKey,
        usage: usages.keyCertSign,
        authority: true,
        signer: privateKey
      })
      const ca = { cert: toPem('CERTIFICATE', der), key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string }
      const leaf = x509((await issueClient(ca, { commonName: 'home' })).cert)
      expect(leaf.checkIssued(x509(ca.cert))).to.equal(true)
      expect(leaf.verify(publicKey)).to.equal(true)
    })
  }
})

describe('what cannot be certified', () => {
  const bad: [what: string, options: Partial<CertificateOptions>, words: RegExp][] = [
    ['an empty common name', { commonName: '' }, /common name is empty/],
    ['spaces for a common name', { commonName: '  ' }, /empty/],
    ['a line break in the common name', { commonName: 'a\nb' }, /control characters/],
    ['a null byte in the common name', { commonName: 'a\0b' }, /control characters/],
    ['a common name that turns the writing around', { commonName: 'a\u202eb' }, /control characters/],
    ['a common name with an Arabic letter mark', { commonName: 'a\u061cb' }, /control characters/],
    ['a common name with a soft hyphen', { commonName: 'a\u00adb' }, /control characters/],
    ['a common name with a tag character', { commonName: 'a\u{e0041}b' }, /control characters/],
    ['a common name of 65 characters', { commonName: 'x'.repeat(65) }, /longer than 64/],
    ['an empty name', { names: [''] }, /a name is empty/],
    ['a name with a space', { names: ['a b'] }, /invalid DNS name.* "a b"/],
    ['a name with a null byte', { names: ['a.example\0.org'] }, /invalid DNS name/],
    ['an empty label', { names: ['a..example'] }, /invalid DNS name/],
    ['a label of 64', { names: [`${'a'.repeat(64)}.example`] }, /invalid DNS name/],
    ['a name of 254', { names: [`${'a.'.repeat(126)}bc`] }, /invalid DNS name/],
    ['a star in the middle', { names: ['a.*.example'] }, /invalid DNS name/],
    ['a star alone', { names: ['*'] }, /invalid DNS name/],
    ['a star over a top-level name', { names: ['*.example'] }, /invalid DNS name/],
    ['an address in disguise', { names: ['0x7f.1'] }, /invalid DNS name/],
    ['half an address', { names: ['1.2.3'] }, /invalid DNS name/],
    ['an address with a zone', { names: ['fe80::1%eth0'] }, /invalid DNS name/],
    ['a malformed address', { names: ['ip:1.2.3'] }, /invalid IP address/],
    ['an email address without host', { names: ['email:me'] }, /invalid email address/],
    ['a URI without scheme', { names: ['uri:/x'] }, /invalid URI/],
    ['a URI with a space', { names: ['uri:urn:a b'] }, /invalid URI/],
    ['101 names', { names: Array.from({ length: 101 }, (_, index) => `n${index}.example`) }, /100 are the most/],
    ['no days', { days: 0 }, /days has to be/],
    ['days that are no number', { days: Number.NaN }, /days has to be/],
    ['more days than a century', { days: 36_501 }, /days has to be/],
    ['a short key', { bits: 1024 }, /bits has to be/],
    ['a huge key', { bits: 16_384 }, /bits has to be/],
    ['no date', { notBefore: new Date('never') }, /notBefore/]
  ]
  for (const [what, options, words] of bad) {
    it(`${what} is refused`, async () => {
      const outcome = await codeOf(selfSigned({ commonName: 'x.example', ...options }))
      expect(outcome).to.match(/^cert\.invalid: /)
      expect(outcome).to.match(words)
    })
  }

  it('by a certificate that is no authority, by another’s key, or by no certificate at all', async () => {
    const ca = await authority()
    const leaf = await issueClient(ca, { commonName: 'home' })
    const more = { commonName: 'x.example' }
    expect(await codeOf(issueServer(leaf, more))).to.match(/not one of an authority/)
    expect(await codeOf(issueServer({ cert: ca.cert, key: leaf.key }, more))).to.match(/does not belong/)
    expect(await codeOf(issueServer({ cert: 'x', key: ca.key }, more))).to.match(/^cert\.invalid: .*cannot be read/)
    expect(await codeOf(issueServer({ cert: ca.cert, key: 'x' }, more))).to.match(/^cert\.invalid: .*cannot be read/)
  })
})
