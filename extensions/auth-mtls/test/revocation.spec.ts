import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authority, certificate, crl, extension, noise, now, pemOf, type Signer } from './made.js'
import { outcome, ready } from './setup.js'

const ca = authority()
const good = certificate(ca, { serial: '0b', subject: [['CN', 'good']] })
const stolen = certificate(ca, { serial: '00c0ffee', subject: [['CN', 'stolen']] })
const rules = [{ id: '{subject.CN}' }]

describe('the revoked of auth-mtls', () => {
  it('are refused by serial number or fingerprint, however they are written', async () => {
    const fingerprint = createHash('sha256').update(stolen.der).digest('hex')
    const colons = fingerprint.toUpperCase().replace(/..(?=.)/g, '$&:')
    for (const text of ['c0ffee', 'C0:FF:EE', 'serial:00C0FFEE', fingerprint, `sha256:${colons}`]) {
      const server = ready({ rules, revoked: [text] })
      expect(await outcome(server, stolen), text).to.match(/^refused: certificate sha256:\w+: \w+( number)? is in `rev/)
      expect(await outcome(server, good)).to.equal('good')
    }
  })

  it('are not taken from half a fingerprint', () => {
    expect(() => ready({ rules, revoked: ['sha256:abcd'] }))
      .to.throw(/64 hexadecimal digits/)
      .with.property('code', 'extension.options')
  })
})

describe('revocation lists of auth-mtls', () => {
  let dir = ''
  const write = async (name: string, content: string | Buffer): Promise<void> => {
    await writeFile(join(dir, `${name}.new`), content)
    await rename(join(dir, `${name}.new`), join(dir, name))
  }
  const pem = (list: Buffer): string => pemOf('X509 CRL', list)
  const serverWith = async (...authorities: Signer[]) => {
    await write('ca.pem', authorities.map((one) => one.pem).join(''))
    const server = ready({ rules, crl: ['crl.pem'], ca: ['ca.pem'] }, { dir })
    return server
  }
  const startError = async (server: ReturnType<typeof ready>): Promise<Error & { code?: string }> =>
    server.start().then(
      () => {
        throw new Error('it started')
      },
      (error) => error
    )
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rystra-mtls-'))
  })
  afterEach(() => rm(dir, { recursive: true }))

  for (const algorithm of ['ec', 'rsa', 'ed25519'] as const) {
    it(`signed by an authority with a key of ${algorithm} count, as PEM and as DER`, async () => {
      const own = authority('own', algorithm)
      const [one, other] = ['0c', '0d'].map((serial) => certificate(own, { serial })) as [Signer, Signer]
      const list = crl(own, { serials: ['0c', '7f'], nextUpdate: now + 1000 })
      for (const content of [pem(list), list]) {
        await write('crl.pem', content)
        const server = await serverWith(ca, own)
        await server.start()
        expect(await outcome(server, one)).to.match(/crl\.pem/)
        expect(await outcome(server, other)).to.equal('nas')
      }
    })
  }

  it('are about the certificates of their authority alone', async () => {
    const second = authority('second')
    await write('crl.pem', pem(crl(second, { serials: ['0b'] })) + pem(crl(ca, { serials: ['00c0ffee'] })))
    const server = await serverWith(ca, second)
    await server.start()
    expect(await outcome(server, good)).to.equal('good')
    expect(await outcome(server, stolen)).to.match(/revoked/)
    expect(await outcome(server, certificate(second, { serial: '0b' }))).to.match(/revoked/)
  })

  it('count from the next check on when they change', async () => {
    await write('crl.pem', pem(crl(ca)))
    const server = await serverWith(ca)
    await server.start()
    expect(await outcome(server, stolen)).to.equal('stolen')
    await write('crl.pem', pem(crl(ca, { serials: ['00c0ffee'] })))
    expect(await outcome(server, stolen), 'files are looked at every two seconds').to.equal('stolen')
    server.clock.advance(2000)
    expect(await outcome(server, stolen)).to.match(/revoked/)
    expect(await outcome(server, good)).to.equal('good')
  })

  it('that break later, or are gone, leave what was read before, and say so', async () => {
    await write('crl.pem', pem(crl(ca, { serials: ['00c0ffee'] })))
    const server = await serverWith(ca)
    await server.start()
    const bad = [pem(crl(authority('another'))), pem(noise(200)), 'nothing', '']
    for (const content of [...bad, undefined]) {
      if (content === undefined) await rm(join(dir, 'crl.pem'))
      else await write('crl.pem', content)
      server.clock.advance(2000)
      expect(await outcome(server, stolen)).to.match(/revoked/)
      expect(await outcome(server, good)).to.equal('good')
    }
    expect(server.warnings().filter((line) => /keeping the previous list/.test(line))).to.have.length(5)
  })

  it('that have expired refuse every certificate of their authority', async () => {
    await write('crl.pem', pem(crl(ca, { serials: ['00c0ffee'], nextUpdate: now + 1000 })))
    const server = await serverWith(ca)
    await server.start()
    expect(await outcome(server, good)).to.equal('good')
    server.clock.advance(1001)
    expect(await outcome(server, good)).to.match(/crl\.pem expired on 2026-01-01/)
    expect(await outcome(server, stolen)).to.match(/revoked/)
    expect(await outcome(server, certificate(authority('another')))).to.equal('nas')
    const late = await serverWith(ca)
    late.clock.advance(1001)
    await late.start()
    expect(late.warnings().join()).to.match(/has expired: certificates/)
  })

  it('signed by an unknown authority fail the start', async () => {
    const twin = authority()
    for (const list of [crl(twin), Buffer.concat([crl(ca).subarray(0, -1), Buffer.of(0)])]) {
      await write('crl.pem', pem(list))
      const error = await startError(await serverWith(ca))
      expect(error).to.have.property('code', 'extension.options')
      expect(error.message).to.match(/not signed by an authority in ca/)
    }
  })

  it('that are about some certificates only, or those of others, fail the start', async () => {
    const partial = extension('2.5.29.28', Buffer.from([0x30, 0]), true)
    const indirect = [extension('2.5.29.29', Buffer.from([0x30, 0]), true)]
    const numbered = [extension('2.5.29.20', Buffer.from([0x02, 1, 7]))]
    for (const [list, named] of [
      [crl(ca, { extensions: [...numbered, partial] }), /2\.5\.29\.28/],
      [crl(ca, { serials: ['01'], entryExtensions: indirect }), /2\.5\.29\.29/]
    ] as const) {
      await write('crl.pem', pem(list))
      expect((await startError(await serverWith(ca))).message).to.match(named)
    }
    await write('crl.pem', pem(crl(ca, { serials: ['01'], extensions: numbered, entryExtensions: numbered })))
    await (await serverWith(ca)).start()
  })

  it('that are garbage, or enormous, fail the start', async () => {
    const list = crl(ca, { serials: ['01', '02'] })
    for (const content of ['', 'x', pem(noise(300)), pem(list.subarray(0, -5)), Buffer.alloc((8 << 20) + 1, 0x30)]) {
      await write('crl.pem', content)
      expect(await startError(await serverWith(ca))).to.have.property('code', 'extension.options')
    }
    for (let cut = 1; cut < list.length; cut += 7) {
      await write('crl.pem', list.subarray(0, cut))
      expect(await startError(await serverWith(ca)), `cut at ${cut}`).to.have.property('code', 'extension.options')
    }
  })

  it('need authorities, and certificates of authorities they have to be', async () => {
    expect(() => ready({ rules, crl: ['crl.pem'] })).to.throw(/crl requires ca/)
    await write('crl.pem', pem(crl(ca)))
    for (const text of [good.pem, 'nothing', pemOf('CERTIFICATE', noise(50))]) {
      const server = ready({ rules, crl: ['crl.pem'], ca: ['ca.pem'] }, { dir })
      await write('ca.pem', text)
      expect(await startError(server)).to.have.property('code', 'extension.options')
    }
  })
})
