import { issueClient, issueServer, type KeyPair, makeAuthority, revoke } from '@rystra/certificates'
import { expect } from 'chai'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkConfig } from '../src/check.js'
import { checkCertificates } from '../src/certs/configured.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders } from './folder.js'

const config = (listen: string, connect = ''): string => `extensions:
  - '@rystra/transport-tls'
  - use: '@rystra/auth-token'
    options: { token: t }
server: { listen: [{ transport: tls, port: 0${listen} }] }
${connect === '' ? '' : `client: { connect: { transport: tls, host: x.example, port: 7000${connect} } }`}
`

describe('check of certificates', () => {
  const folders = new Folders()
  let dir = ''
  let authority: KeyPair

  /** The message of what it says, or nothing when all is well. */
  const outcome = async (listen: string, connect?: string): Promise<string> => {
    writeFileSync(join(dir, 'rystra.config.yaml'), config(listen, connect))
    return checkConfig(dir).then(
      ({ warnings }) => warnings.map(({ side, path, text }) => `${side} ${path}: ${text}`).join('; '),
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`
    )
  }

  before(async () => {
    const past = { notBefore: new Date('2020-01-01'), days: 3 }
    authority = await makeAuthority({ keyType: 'ec', commonName: 'ca' })
    const [good, soon, old, client] = await Promise.all([
      issueServer(authority, { keyType: 'ec', commonName: 'x.example' }),
      issueServer(authority, { keyType: 'ec', commonName: 'x.example', days: 10 }),
      issueServer(authority, { keyType: 'ec', commonName: 'x.example', ...past }),
      issueClient(authority, { keyType: 'ec', commonName: 'home', days: 20 })
    ])
    const oldAuthority = await makeAuthority({ keyType: 'ec', commonName: 'old', ...past })
    dir = folders.make({
      'ca.pem': authority.cert,
      'old-ca.pem': oldAuthority.cert,
      'crl.pem': await revoke(authority, [client.cert]),
      'good.pem': good.cert,
      'good-key.pem': good.key,
      'soon.pem': soon.cert,
      'soon-key.pem': soon.key,
      'old.pem': old.cert,
      'old-key.pem': old.key,
      'home.pem': client.cert,
      'home-key.pem': client.key,
      'garbage.pem': 'nothing'
    })
  })
  after(() => folders.clean())

  it('says nothing of good ones, and nothing without any', async () => {
    expect(await outcome('')).to.equal('')
    expect(
      await outcome(', cert: good.pem, key: good-key.pem, clientCa: ca.pem, crl: crl.pem', ', ca: ca.pem')
    ).to.equal('')
  })

  it('warns of those that end within 30 days, of both sides, and still exits 0', async () => {
    const both = await outcome(', cert: soon.pem, key: soon-key.pem', ', cert: home.pem, key: home-key.pem')
    expect(both).to.match(
      /^server server\.listen\[0\]\.cert: soon\.pem: the certificate expires on \d{4}-\d\d-\d\d, in 9 days; /
    )
    expect(both).to.match(/client client\.connect\.cert: home\.pem: the certificate expires on .* in 19 days$/)
    const { code, out, err } = await rystra(['check'], { cwd: dir })
    expect(code).to.equal(0)
    expect(out).to.include('is valid')
    expect(err).to.match(/^Warning: server\.listen\[0\]\.cert: soon\.pem: .* in 9 days\.$/m)
  })

  const broken: [what: string, listen: string, words: RegExp][] = [
    [
      'a file that is not there',
      ', cert: none.pem, key: good-key.pem',
      /server\.listen\[0\]\.cert: .*none\.pem: there is no such file/
    ],
    [
      'an expired certificate',
      ', cert: old.pem, key: old-key.pem',
      /old\.pem: the certificate expired on 2020-01-04, \d+ days ago/
    ],
    [
      'a key of another one',
      ', cert: good.pem, key: soon-key.pem',
      /good\.pem: the key does not belong to the certificate/
    ],
    ['a certificate without key', ', cert: good.pem', /given without `key`/],
    ['a key without certificate', ', key: good-key.pem', /given without `cert`/],
    ['a list without authority', ', crl: crl.pem', /given without `clientCa`/],
    [
      'a file with something else',
      ', cert: garbage.pem, key: good-key.pem',
      /garbage\.pem: the certificate cannot be read/
    ],
    ['authorities that are all over', ', clientCa: old-ca.pem', /clientCa: old-ca\.pem: CN=old expired on/],
    ['a list that is a certificate', ', clientCa: ca.pem, crl: ca.pem', /crl: ca\.pem: .*no revocation list/]
  ]
  for (const [what, listen, words] of broken) {
    it(`fails for ${what}`, async () => {
      const found = await outcome(listen)
      expect(found).to.match(/^tls\.files: server: /)
      expect(found).to.match(words)
    })
  }

  it('tells all of it at once, and exits 2', async () => {
    const found = await outcome(', cert: old.pem, key: good-key.pem', ', ca: none.pem')
    expect(found)
      .to.match(/expired on/)
      .and.match(/does not belong/)
      .and.match(/client\.connect\.ca: .*none\.pem/)
    const { code, err } = await rystra(['check'], { cwd: dir })
    expect(code).to.equal(2)
    expect(err).to.include('code: tls.files')
  })

  it('looks at the day it is told', async () => {
    writeFileSync(join(dir, 'rystra.config.yaml'), config(''))
    const resolved = { server: { listen: [{ transport: 'tls', cert: 'good.pem', key: 'good-key.pem' }] } } as never
    expect((await checkCertificates(resolved, dir)).problems).to.deep.equal([])
    expect((await checkCertificates(resolved, dir, Date.now() + 500 * 86_400_000)).problems).to.have.length(1)
  })

  it('of acme warns about ports and hosts, and wants the terms of the authority agreed to', async () => {
    const acme = (agreed: boolean): string => `extensions:
  - use: '@rystra/auth-token'
    options: { token: t }
  - use: '@rystra/proxy-http'
    options: { listen: [{ host: 127.0.0.1, port: 8080 }] }
  - '@rystra/proxy-https'
  - use: '@rystra/acme'
    options: { hosts: ['*.example.org'], termsOfServiceAgreed: ${agreed} }
server: { listen: [{ transport: tcp, host: 127.0.0.1, port: 0 }] }
`
    const folder = folders.make({ 'rystra.config.yaml': acme(true) })
    const { warnings } = await checkConfig(folder)
    expect(warnings.map(({ text }) => text).join()).to.match(
      /acme: the authority connects to port 80 of proxy-http or port 443 of proxy-https/
    )
    writeFileSync(join(folder, 'rystra.config.yaml'), acme(false))
    const bad = await checkConfig(folder).catch((error: { code: string; message: string }) => error)
    expect(bad).to.include({ code: 'extension.options' }).and.have.property('message').that.includes('terms of service')
  })
})
