import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import {
  describeCertificate,
  describeCrls,
  issueClient,
  issueServer,
  type KeyPair,
  makeAuthority,
  revoke,
  selfSigned
} from '../src/index.js'
import { authority } from './authority.js'
import { codeOf } from './codes.js'

/** What a server makes of a client, and what the client makes of the server. */
const meet = async (server: KeyPair, ca: string, client: KeyPair, crl?: string, trust = ca): Promise<string> => {
  const listener = tls.createServer({ cert: server.cert, key: server.key, ca, requestCert: true, crl }, (socket) => {
    socket.on('error', () => {})
    socket.end('welcome')
  })
  const refused = new Promise<string>((resolve) =>
    listener.on('tlsClientError', ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message))
  )
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: trust,
    cert: client.cert,
    key: client.key
  })
  const seen = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => resolve(String(chunk)))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(`client: ${error.code}`))
    socket.on('close', () => resolve('closed'))
  })
  const outcome = await seen
  socket.destroy()
  listener.close()
  return outcome === 'welcome' ||
    outcome.startsWith('client: UNABLE') ||
    outcome.startsWith('client: DEPTH') ||
    outcome.startsWith('client: CERT_HAS')
    ? outcome
    : `server: ${await refused}`
}

/** OpenSSL's own opinion, where it is installed. */
const openssl = (args: string[]): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    execFile('openssl', args, { timeout: 10_000 }, (error, out, err) => {
      if ((error as NodeJS.ErrnoException | null)?.code === 'ENOENT') resolve(undefined)
      else if (error !== null && out === '' && err === '') reject(error)
      else resolve(out + err)
    })
  })

describe('certificates on the wire, and revocation', () => {
  let ca: KeyPair
  let server: KeyPair
  let home: KeyPair
  let office: KeyPair

  before(async () => {
    ca = await authority()
    ;[server, home, office] = await Promise.all([
      issueServer(ca, { commonName: 'localhost' }),
      issueClient(ca, { commonName: 'home' }),
      issueClient(ca, { commonName: 'office' })
    ])
  })

  it('server and client trust each other; other authorities and expired ones are refused on both ends', async () => {
    expect(await meet(server, ca.cert, home)).to.equal('welcome')
    const otherCa = await makeAuthority({ commonName: 'Prüfstelle', bits: 2048 })
    const [foreign, old, purpose] = await Promise.all([
      issueClient(otherCa, { commonName: 'home' }),
      issueServer(ca, { commonName: 'localhost', notBefore: new Date('2020-01-01'), days: 3 }),
      issueServer(ca, { commonName: 'localhost' })
    ])
    expect(await meet(server, ca.cert, foreign)).to.match(/^server: /)
    expect(await meet(old, ca.cert, home)).to.equal('client: CERT_HAS_EXPIRED')
    expect(await meet(server, ca.cert, purpose), 'a server certificate is not a client certificate').to.match(
      /^server: /
    )
    const own = await selfSigned({ commonName: 'localhost' })
    expect(await meet(own, ca.cert, home, undefined, own.cert)).to.equal('welcome')
    expect(await meet(own, ca.cert, home)).to.equal('client: DEPTH_ZERO_SELF_SIGNED_CERT')
  })

  it('a list refuses the certificates it names and no others; the next one keeps them', async () => {
    const empty = await revoke(ca, [])
    expect(await meet(server, ca.cert, home, empty)).to.equal('welcome')
    const first = await revoke(
      ca,
      [{ cert: home.cert, reason: 'keyCompromise', at: new Date('2026-01-02T03:04:05Z') }],
      empty
    )
    expect(await meet(server, ca.cert, home, first)).to.match(/^server: /)
    expect(await meet(server, ca.cert, office, first)).to.equal('welcome')
    const second = await revoke(ca, [office.cert, home.cert], first)
    expect(await meet(server, ca.cert, home, second)).to.match(/^server: /)
    expect(await meet(server, ca.cert, office, second)).to.match(/^server: /)

    expect([empty, first, second].map((pem) => describeCrls(pem)[0]?.number)).to.deep.equal(['1', '2', '3'])
    const [list] = describeCrls(second)
    expect(list?.revoked).to.have.length(2)
    const serial = describeCertificate(home.cert)[0]?.serial
    expect(list?.revoked.find((one) => one.serial === serial)).to.deep.equal({
      serial,
      at: '2026-01-02T03:04:05.000Z',
      reason: 'keyCompromise'
    })
    expect(list?.nextUpdate).to.equal(describeCertificate(ca.cert)[0]?.notAfter)
  })

  it('OpenSSL agrees, strictly', async function () {
    const dir = await mkdtemp(join(tmpdir(), 'rystra-crl-'))
    try {
      const crl = await revoke(ca, [{ cert: home.cert, reason: 'superseded' }])
      const files = { ca: ca.cert, server: server.cert, home: home.cert, crl }
      for (const [name, text] of Object.entries(files)) await writeFile(join(dir, `${name}.pem`), text)
      const verify = (name: string) =>
        openssl([
          'verify',
          '-x509_strict',
          '-CAfile',
          join(dir, 'ca.pem'),
          '-crl_check',
          '-CRLfile',
          join(dir, 'crl.pem'),
          join(dir, `${name}.pem`)
        ])
      const good = await verify('server')
      if (good === undefined) return this.skip()
      expect(good).to.match(/server\.pem: OK/)
      expect(await verify('home')).to.match(/certificate revoked/)
      const text = await openssl([
        'crl',
        '-in',
        join(dir, 'crl.pem'),
        '-noout',
        '-text',
        '-CAfile',
        join(dir, 'ca.pem')
      ])
      expect(text)
        .to.match(/verify OK/)
        .and.match(/Version 2/)
        .and.match(/CRL Number:\s+1/)
        .and.match(/Superseded/)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })

  it('certificates and lists of another authority, garbage and unknown reasons are refused', async () => {
    const other = await makeAuthority({ commonName: 'Prüfstelle', bits: 2048 })
    const foreign = await issueClient(other, { commonName: 'home' })
    expect(await codeOf(revoke(ca, [foreign.cert]))).to.match(/^cert\.invalid: .*not issued by this authority/)
    expect(await codeOf(revoke(ca, ['nothing']))).to.match(/^cert\.invalid: .*cannot be read/)
    expect(await codeOf(revoke(ca, [], await revoke(other, [])))).to.match(/^cert\.invalid: .*not signed by this/)
    for (const garbage of ['', 'x', ca.cert, '-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n'])
      expect(await codeOf(revoke(ca, [], garbage))).to.match(/^cert\.invalid: .*cannot be read/)
    const reason = 'boredom' as 'superseded'
    expect(await codeOf(revoke(ca, [{ cert: home.cert, reason }]))).to.match(/no reason "boredom"; there are keyComp/)
  })
})
