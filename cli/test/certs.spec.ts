import { issueServer, type KeyPair, makeAuthority } from '@rystra/certificates'
import { expect } from 'chai'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { makeClient, makeServer } from '../src/certs/make.js'
import { makeMembers } from '../src/certs/members.js'
import { putFiles } from '../src/certs/put.js'
import { revokeCertificate } from '../src/certs/revoke.js'
import { showCertificates } from '../src/certs/show.js'
import type { Outcome } from './command.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders, snapshot } from './folder.js'

const folders = new Folders()
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)
const x509 = (path: string): X509Certificate => new X509Certificate(readFileSync(path))
const errorOf = ({ out }: Outcome): { code: string; message: string } =>
  (JSON.parse(out) as { error: { code: string; message: string } }).error
const refusal = (promise: Promise<unknown>): Promise<{ code?: string; message?: string }> =>
  promise.then(
    () => ({ code: 'it went well' }),
    (error: { code?: string; message?: string }) => error
  )

describe('cert', () => {
  let cwd = ''
  const cert = (...args: string[]): Promise<Outcome> => rystra(args, { cwd })
  const at = (...parts: string[]): string => join(cwd, ...parts)

  before(() => {
    cwd = folders.make()
  })
  after(() => folders.clean())

  it('ca: a folder and a key for the owner alone, a public certificate, and the next steps', async () => {
    const { code, out, err } = await cert('cert:ca', '--name', 'Beispiel-Prüfstelle', '--bits', '2048')
    expect(err).to.equal('')
    expect(code).to.equal(0)
    expect(out).to.include('rystra cert:server').and.include('ca: ca/ca.pem').and.include('clientCa: ca/ca.pem')
    expect(['ca', 'ca/ca-key.pem', 'ca/ca.pem'].map((name) => modeOf(at(name)))).to.deep.equal(['700', '600', '644'])
    expect(readdirSync(at('ca'))).to.have.members(['ca.pem', 'ca-key.pem'])
    expect(x509(at('ca/ca.pem')).subject).to.equal('CN=Beispiel-Prüfstelle')
  })

  it('cluster: an authority once, and a certificate for each server, good for both ends of a link', async () => {
    const made = await cert('cert:cluster', 'a', 'b')
    expect(made.code).to.equal(0)
    expect(made.out).to.include('cert: cluster/a.pem')
    const authority = readFileSync(at('cluster/ca.pem'), 'utf8')
    await makeMembers(['c'], { out: at('cluster'), force: false })
    expect(readFileSync(at('cluster/ca.pem'), 'utf8')).to.equal(authority)
    expect(readdirSync(at('cluster'))).to.have.members(
      ['ca', 'a', 'b', 'c'].flatMap((name) => [`${name}.pem`, `${name}-key.pem`])
    )
    for (const name of ['a', 'b', 'c']) {
      const leaf = x509(at(`cluster/${name}.pem`))
      expect(leaf.subjectAltName).to.equal(`DNS:${name}.rystra.internal`)
      expect(leaf.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
      expect(leaf.verify(x509(at('cluster/ca.pem')).publicKey)).to.equal(true)
    }
    for (const name of ['ca', 'Upper', 'a.b', '']) {
      expect((await refusal(makeMembers([name], { out: at('cluster'), force: false }))).code, name).to.equal(
        'cert.invalid'
      )
    }
    expect((await refusal(makeMembers(['a'], { out: at('cluster'), force: false }))).code).to.equal('cert.exists')
  })

  it('server and client: signed by it, for the names given and no others', async () => {
    const [server, client] = await Promise.all([
      cert('cert:server', 'tunnel.example.org', '127.0.0.1', '--days', '90', '--json'),
      cert(
        'cert',
        'client',
        'home/../nas',
        '--names',
        'email:me@example.org',
        '--names',
        'uri:spiffe://x/y',
        '--out',
        'certs'
      )
    ])
    expect(server.code, server.err).to.equal(0)
    expect(client.code, client.err).to.equal(0)
    const made = JSON.parse(server.out) as {
      cert: string
      key: string
      certificate: { names: string[]; daysLeft: number }
    }
    expect(made).to.include({ cert: 'server.pem', key: 'server-key.pem' })
    expect(made.certificate.names).to.deep.equal(['tunnel.example.org', '127.0.0.1'])
    expect(made.certificate.daysLeft).to.equal(89)
    const ca = x509(at('ca/ca.pem'))
    for (const base of ['server', 'certs/home-..-nas']) {
      const leaf = x509(at(`${base}.pem`))
      expect(leaf.checkIssued(ca) && leaf.verify(ca.publicKey), base).to.equal(true)
      expect(leaf.checkPrivateKey(createPrivateKey(readFileSync(at(`${base}-key.pem`)))), base).to.equal(true)
      expect(leaf.publicKey.asymmetricKeyType, `the key of ${base}`).to.equal('ec')
      expect(modeOf(at(`${base}-key.pem`))).to.equal('600')
      expect(modeOf(at(`${base}.pem`))).to.equal('644')
    }
    expect(x509(at('certs/home-..-nas.pem')).subject).to.equal('CN=home/../nas')
    expect(modeOf(at('certs'))).to.equal('700')
    expect(client.out).to.include('clientCert: required').and.include('cert: certs/home-..-nas.pem')
  })

  it('overwrites nothing without --force; with it the key is 600 again, and the pair fits', async () => {
    const before = snapshot(cwd)
    const refused = await cert('cert:server', 'x.example', '--json')
    expect(refused.code).to.equal(2)
    expect(errorOf(refused).code).to.equal('cert.exists')
    expect(errorOf(refused).message).to.include('server.pem').and.include('server-key.pem')
    rmSync(at('server.pem'))
    expect(errorOf(await cert('cert:server', 'x.example', '--json')).message).to.match(/: server-key\.pem$/)
    expect(snapshot(at('ca'))).to.deep.equal(
      Object.fromEntries(Object.entries(before).flatMap(([k, v]) => (/^ca\/./.test(k) ? [[k.slice(3), v]] : [])))
    )
    chmodSync(at('server-key.pem'), 0o644)
    const forced = await cert('cert:server', 'x.example', '--force')
    expect(forced.code, forced.err).to.equal(0)
    expect(modeOf(at('server-key.pem'))).to.equal('600')
    expect(x509(at('server.pem')).checkPrivateKey(createPrivateKey(readFileSync(at('server-key.pem'))))).to.equal(true)
    expect(readdirSync(cwd).filter((name) => name.endsWith('.tmp'))).to.deep.equal([])
  })

  it('revoke: one list that keeps what was on it; those of another authority are refused', async () => {
    const first = await cert('cert:revoke', 'server.pem', '--reason', 'superseded', '--json')
    expect(first.code, first.out).to.equal(0)
    const second = await cert('cert:revoke', 'certs/home-..-nas.pem', '--json')
    const list = JSON.parse(second.out) as {
      crl: string
      number: string
      revoked: { serial: string; reason?: string }[]
    }
    expect(list).to.include({ crl: 'ca/crl.pem', number: '2' })
    const serials = ['server.pem', 'certs/home-..-nas.pem'].map((name) => x509(at(name)).serialNumber.toLowerCase())
    expect(list.revoked.map(({ serial }) => serial)).to.have.members(serials)
    expect(list.revoked.find(({ serial }) => serial === serials[0])?.reason).to.equal('superseded')
    expect(modeOf(at('ca/crl.pem'))).to.equal('644')
    const before = readFileSync(at('ca/crl.pem'), 'utf8')
    const foreign = await issueServer(await makeAuthority({ commonName: 'x', bits: 2048 }), {
      commonName: 'x.example'
    })
    writeFileSync(at('foreign.pem'), foreign.cert)
    const refused = await cert('cert:revoke', 'foreign.pem', '--json')
    expect(errorOf(refused)).to.include({ code: 'cert.invalid' })
    expect(readFileSync(at('ca/crl.pem'), 'utf8')).to.equal(before)
    const shown = await cert('cert:show', 'ca/crl.pem')
    expect(shown.out)
      .to.match(/number\s+2/)
      .and.match(/revoked\s+2/)
      .and.include('superseded')
  })

  it('show: a bundle for people and for programs, and a key without showing it', async () => {
    const [text, json] = await Promise.all([cert('cert:show', 'server.pem'), cert('cert:show', 'server.pem', '--json')])
    expect(text.out)
      .to.match(/subject\s+CN=x\.example/)
      .and.match(/certificate 2 of 2/)
      .and.match(/39[67] days left/)
    const { certificates, problems } = JSON.parse(json.out) as {
      certificates: { fingerprint: string }[]
      problems: string[]
    }
    expect(problems).to.deep.equal([])
    expect(certificates[0]?.fingerprint).to.equal(
      `sha256:${x509(at('server.pem')).fingerprint256.replaceAll(':', '').toLowerCase()}`
    )
    writeFileSync(at('both.pem'), readFileSync(at('foreign.pem'), 'utf8') + readFileSync(at('server-key.pem'), 'utf8'))
    const both = await cert('cert:show', 'both.pem')
    expect(both.out).to.include('OF ANOTHER CERTIFICATE').and.include('Problem: the key does not belong')
    expect(both.out).not.to.include('PRIVATE KEY')
  })

  it('what is wrong with the words or the files is reported, with nothing written', async () => {
    const before = snapshot(cwd)
    const options = { out: at('fresh'), force: false }
    const show = (what: string) => showCertificates(what, { timeout: 1000 })
    const cases: [make: () => Promise<unknown>, code: string, words: RegExp][] = [
      [() => makeClient('', [], at('ca'), options), 'cert.invalid', /empty/],
      [() => makeClient('a\nb', [], at('ca'), options), 'cert.invalid', /control characters/],
      [() => makeClient('x'.repeat(65), [], at('ca'), options), 'cert.invalid', /longer than 64/],
      [() => makeServer(['a b'], at('ca'), options), 'cert.invalid', /invalid .*name/],
      [() => makeServer(['x.example'], at('nowhere'), options), 'tls.files', /nowhere\/ca\.pem: there is no such file/],
      [
        () => revokeCertificate(at('nothing.pem'), at('ca'), undefined),
        'tls.files',
        /nothing\.pem: there is no such file/
      ],
      [() => show(at('nothing.pem')), 'tls.files', /nothing\.pem: there is no such file/],
      [() => show(at('ca')), 'tls.files', /it is a folder/],
      [() => show('/dev/zero'), 'tls.files', /too large/],
      [() => show('nowhere:0'), 'usage.invalid', /port from 1/]
    ]
    for (const [make, code, words] of cases) {
      const { code: found, message } = await refusal(make())
      expect(found, message).to.equal(code)
      expect(message).to.match(words)
    }
    const days = await cert('cert:server', 'x.example', '--days', '0', '--out', 'fresh', '--json')
    expect(errorOf(days).code).to.equal('usage.invalid')
    expect(snapshot(cwd)).to.deep.equal(before)
  })

  describe('show of a server', () => {
    const servers: net.Server[] = []
    let pair: KeyPair
    const listen = async (server: net.Server): Promise<string> => {
      servers.push(server.listen(0, '127.0.0.1'))
      await once(server, 'listening')
      return `127.0.0.1:${(server.address() as AddressInfo).port}`
    }

    before(async () => {
      const authority = await makeAuthority({ commonName: 'elsewhere', bits: 2048 })
      pair = await issueServer(authority, { commonName: 'tunnel.example.org', days: 5 })
    })
    afterEach(() => {
      for (const server of servers.splice(0)) server.close()
    })

    it('what it presents, trusted or not, with the name that was prompted for and what was agreed on', async () => {
      let prompted = ''
      const listener = tls.createServer({
        ...pair,
        ALPNProtocols: ['rystra/1'],
        requestCert: true,
        ca: pair.cert,
        SNICallback: (name, done) => {
          prompted = name
          done(null)
        }
      })
      const address = await listen(listener)
      const { code, out } = await cert('cert:show', address, '--server-name', 'tunnel.example.org', '--json')
      expect(code, out).to.equal(0)
      const shown = JSON.parse(out) as Record<string, unknown> & { certificates: { subject: string }[] }
      expect(shown.certificates.map(({ subject }) => subject)).to.deep.equal(['CN=tunnel.example.org', 'CN=elsewhere'])
      expect(shown['tls']).to.include({ version: 'TLSv1.3', alpn: 'rystra/1' })
      expect(shown['warnings']).to.have.length(1)
      expect(prompted).to.equal('tunnel.example.org')
    })

    it('one that says nothing, one that does not speak TLS, and none at all', async () => {
      const silent = await listen(net.createServer((socket) => socket.on('error', () => {}).resume()))
      const plain = await listen(
        net.createServer((socket) =>
          socket
            .on('error', () => {})
            .resume()
            .end('hello there\r\n')
        )
      )
      const free = net.createServer()
      const gone = await listen(free)
      free.close()
      const [first, second, third] = await Promise.all([
        cert('cert:show', silent, '--timeout', '1', '--json'),
        cert('cert:show', plain, '--json'),
        cert('cert:show', gone, '--json')
      ])
      expect(errorOf(first as Outcome)).to.include({ code: 'connect.unreachable' })
      expect(errorOf(first as Outcome).message).to.include('within 1 s')
      expect(errorOf(second as Outcome).code).to.equal('tls.not-tls')
      expect(errorOf(third as Outcome).code).to.equal('connect.unreachable')
    })
  })
})

describe('files that belong together', () => {
  afterEach(() => folders.clean())
  const key = { name: 'key.pem', text: 'new key', secret: true }
  const certificate = { name: 'cert.pem', text: 'new certificate', secret: false }

  it('are all written or none: when the second fails, the first is as it was', async () => {
    const dir = folders.make({ 'key.pem': 'old key' })
    // A folder with something in it is replaced by nothing.
    mkdirSync(join(dir, 'cert.pem/inside'), { recursive: true })
    const before = snapshot(dir)
    expect((await refusal(putFiles(dir, [key, certificate], true))).code).to.be.oneOf(['EISDIR', 'ENOTEMPTY', 'EEXIST'])
    expect(Object.keys(snapshot(dir))).to.deep.equal(Object.keys(before))
    expect(readFileSync(join(dir, 'key.pem'), 'utf8')).to.equal('old key')
  })

  it('leave nothing behind when the second one is there already', async () => {
    const dir = folders.make({ 'cert.pem': 'old' })
    const before = snapshot(dir)
    expect((await refusal(putFiles(dir, [key, certificate], false))).code).to.equal('cert.exists')
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('replace a link, not what it leads to, and count a dangling one as there', async () => {
    const dir = folders.make({ 'elsewhere.txt': 'precious' })
    symlinkSync('elsewhere.txt', join(dir, 'key.pem'))
    symlinkSync('nowhere', join(dir, 'cert.pem'))
    expect((await refusal(putFiles(dir, [key, certificate], false))).code).to.equal('cert.exists')
    await putFiles(dir, [key, certificate], true)
    expect(readFileSync(join(dir, 'elsewhere.txt'), 'utf8')).to.equal('precious')
    expect(snapshot(dir)['key.pem']).to.match(/^600 /)
    expect(snapshot(dir)['cert.pem']).to.match(/^644 /)
  })

  it('have their modes whatever the umask is', async () => {
    const dir = folders.make()
    const before = process.umask(0)
    try {
      await putFiles(join(dir, 'open'), [key, certificate], false)
      process.umask(0o077)
      await putFiles(join(dir, 'shut'), [key, certificate], false)
    } finally {
      process.umask(before)
    }
    for (const name of ['open', 'shut']) {
      expect(modeOf(join(dir, name))).to.equal('700')
      expect(modeOf(join(dir, name, 'key.pem'))).to.equal('600')
      expect(modeOf(join(dir, name, 'cert.pem'))).to.equal('644')
    }
  })
})
