import type { RystraError } from '@rystra/plugin'
import { fingerprintOf, issueServer, type KeyPair } from '@rystra/certificates'
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { openServerTls, type ServerTls, type ServerTlsOptions } from '../src/index.js'
import type { ServerPem } from '../src/server-tls.js'
import { type Certificates, certificates, failure, until, World } from './world.js'

let made: Certificates
let world: World

const open = async (options: ServerTlsOptions): Promise<ServerTls> => {
  const tls = await openServerTls(options, world)
  world.later(() => tls.close())
  return tls
}

describe('the identity of a listener', () => {
  before(async () => {
    made = await certificates()
  })

  beforeEach(() => {
    world = new World()
  })

  afterEach(() => world.end())

  it('is what its files say', async () => {
    const tls = await open({ ...world.pair('server', made.good), clientCa: world.write('ca.pem', made.ca.cert) })
    expect(tls.pem).to.deep.equal({ ...made.good, clientCa: made.ca.cert })
    expect(tls.join).to.equal(undefined)
    expect(tls.clientCert).to.equal('optional')
    expect(tls.options).to.include({ minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: false })
    expect(world.warnings()).to.deep.equal([])
    const required = await open({ ...world.pair('server', made.good), clientCa: 'ca.pem', clientCert: 'required' })
    expect(required.options).to.include({ requestCert: true, rejectUnauthorized: true })
  })

  it('names the field, the file, and what is wrong with it', async () => {
    const pair = world.pair('server', made.good)
    world.write('empty.pem', '')
    // A device without an end is read no further than a file that is too large.
    if (process.platform === 'win32') world.write('large.pem', ' '.repeat(4 * 1024 * 1024 + 1))
    else symlinkSync('/dev/zero', path.join(world.dir, 'large.pem'))
    world.write('cut.crt', `${made.good.cert.slice(0, 300)}\n-----END CERTIFICATE-----\n`)
    world.write('cut.key', `${made.good.key.slice(0, 100)}\n-----END PRIVATE KEY-----\n`)
    world.write('locked.key', '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE\n-----END ENCRYPTED PRIVATE KEY-----\n')
    world.write('cut.crl', `${made.crl.slice(0, 100)}\n-----END X509 CRL-----\n`)
    world.write('ca.pem', made.ca.cert)
    mkdirSync(path.join(world.dir, 'folder'))
    const cases: [ServerTlsOptions, RegExp][] = [
      [{ cert: pair.cert }, /`cert` is given without `key`/],
      [{ key: pair.key }, /`key` is given without `cert`/],
      [{ ...pair, cert: 'gone.pem' }, /cert gone\.pem: file not found/],
      [{ ...pair, cert: 'folder' }, /cert folder: expected a file, got a folder/],
      [{ ...pair, cert: 'large.pem' }, /cert large\.pem: expected a file, got a device/],
      [{ ...pair, cert: 'empty.pem' }, /cert empty\.pem: contains no certificate/],
      [{ ...pair, key: pair.cert }, /key server\.crt: contains no private key/],
      [{ ...pair, cert: 'cut.crt' }, /cert cut\.crt: malformed certificate/],
      [{ ...pair, key: 'cut.key' }, /key cut\.key: malformed key/],
      [{ ...pair, key: 'locked.key' }, /key locked\.key: the key is encrypted/],
      [
        { ...pair, key: world.pair('other', made.renewed).key },
        /key other\.key: the key does not match .* cert server\.crt/
      ],
      [{ ...pair, clientCa: 'empty.pem' }, /clientCa empty\.pem: contains no certificate/],
      [{ ...pair, clientCa: 'cut.crt' }, /clientCa cut\.crt: malformed certificate/],
      [{ ...pair, clientCert: 'required' }, /`clientCert: required` requires `clientCa`/],
      [{ ...pair, crl: 'cut.crl' }, /`crl` requires `clientCa`/],
      [{ ...pair, clientCa: 'ca.pem', crl: 'empty.pem' }, /crl empty\.pem: contains no revocation list/],
      [{ ...pair, clientCa: 'ca.pem', crl: 'cut.crl' }, /crl cut\.crl: /]
    ]
    for (const [options, says] of cases) {
      const error = await failure(openServerTls(options, world))
      expect([error.code, error.detail]).to.deep.equal(['tls.files', error.detail?.match(says)?.input], String(says))
    }
    expect(world.clock.pending, 'timers').to.equal(0)
  })

  it('is made when there is not valid, kept, and the same for all who ask', async () => {
    const all = await Promise.all([open({}), open({}), open({})])
    const again = await open({})
    const file = path.join(world.stateDir, 'tls', 'server.pem')
    const fingerprint = fingerprintOf(readFileSync(file, 'utf8'))
    for (const tls of [...all, again]) expect(tls.join).to.deep.equal({ fingerprint })
    expect(readdirSync(path.dirname(file))).to.deep.equal(['server.pem'])
    expect([statSync(file).mode & 0o777, statSync(path.dirname(file)).mode & 0o777]).to.deep.equal([0o600, 0o700])
    expect(world.lines.find(({ text }) => text.includes('created a self-signed'))?.fields).to.deep.equal({
      file,
      fingerprint
    })
    expect(world.warnings()).to.deep.equal([])
  })

  it('is made once, also by several processes at the same time', async () => {
    const script = `
      import { openServerTls } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}
      import { silentLog } from '@rystra/plugin'
      const clock = { now: () => Date.now(), after: () => () => {} }
      const tls = await openServerTls({}, { dir: '.', stateDir: ${JSON.stringify(world.stateDir)}, log: silentLog, clock })
      console.log(tls.join.fingerprint)
    `
    const cwd = path.resolve(import.meta.dirname, '..')
    const flags = ['--conditions=rystra-source', '--import=tsx', '--input-type=module', '-e', script]
    const run = () => promisify(execFile)(process.execPath, flags, { cwd })
    const said = await Promise.all([run(), run()])
    const { join } = await open({})
    expect(said.map(({ stdout }) => stdout.trim())).to.deep.equal([join?.['fingerprint'], join?.['fingerprint']])
  })

  it('is made again only when the one that is kept is of no use', async () => {
    const dir = path.join(world.stateDir, 'tls')
    mkdirSync(dir, { recursive: true })
    writeFileSync(path.join(dir, 'server.pem'), `${made.good.cert}${made.renewed.key}`, { mode: 0o600 })
    writeFileSync(path.join(dir, 'server-2.pem'), made.expired.cert + made.expired.key, { mode: 0o600 })
    const tls = await open({})
    expect(tls.join).to.deep.equal({ fingerprint: fingerprintOf(readFileSync(path.join(dir, 'server-3.pem'), 'utf8')) })
    expect(world.warnings()).to.have.length(2)
    expect(world.warnings()[0]).to.match(/damaged/)
    expect(world.warnings()[1]).to.match(/expired/)
    // One whose time has not come is right, and the clock wrong.
    writeFileSync(path.join(dir, 'server.pem'), made.early.cert + made.early.key, { mode: 0o600 })
    expect((await open({})).join).to.deep.equal({ fingerprint: fingerprintOf(made.early.cert) })
  })

  it('is complained of when others may read its key', async function () {
    if (process.platform === 'win32') return this.skip()
    await open({})
    chmodSync(path.join(world.stateDir, 'tls', 'server.pem'), 0o644)
    await open({})
    expect(world.warnings().join()).to.match(/readable by other users/)
  })

  it('is not made where it cannot be kept', async () => {
    writeFileSync(world.stateDir, 'a file where the folder should be')
    const error = await failure(openServerTls({}, world))
    expect(error.code).to.equal('tls.files')
    expect(error.detail).to.include(`cannot store a self-signed certificate in ${path.join(world.stateDir, 'tls')}`)
    expect(error.hint).to.include('`cert` and `key`')
  })

  describe('that changes on disk', () => {
    const changes: ServerPem[] = []
    const watched = async (options: ServerTlsOptions): Promise<ServerTls> => {
      changes.length = 0
      const tls = await open(options)
      tls.onChange = (context, pem) => {
        expect(context.cert).to.equal(pem.cert)
        changes.push(pem)
      }
      return tls
    }
    /** The next check of the files, until it is done: then the clock has a timer for the one after. */
    const inspect = async (): Promise<void> => {
      const before = world.clock.pending
      world.clock.advance(5000)
      await until(() => world.clock.pending === before)
    }

    it('is read again, once for each change', async () => {
      const tls = await watched(world.pair('server', made.good))
      await inspect()
      expect(changes).to.deep.equal([])
      world.pair('server', made.renewed)
      await inspect()
      await inspect()
      expect(changes).to.deep.equal([made.renewed])
      expect(tls.pem).to.deep.equal(made.renewed)
      expect(tls.options.cert).to.equal(made.renewed.cert)
    })

    it('stays as it was while the files do not fit together, and says so once', async () => {
      const tls = await watched(world.pair('server', made.good))
      world.write('server.crt', made.renewed.cert)
      await inspect()
      await inspect()
      expect(tls.pem).to.deep.equal(made.good)
      expect(world.warnings()).to.deep.equal(['changed certificate files are invalid; the previous ones stay in use'])
      world.write('server.crt', made.renewed.cert.slice(0, 500))
      await inspect()
      world.pair('server', made.renewed)
      await inspect()
      expect(changes).to.deep.equal([made.renewed])
    })

    it('does not make room for one that is over, or not valid yet', async () => {
      const tls = await watched(world.pair('server', made.good))
      for (const unfit of [made.expired, made.early]) {
        world.pair('server', unfit)
        await inspect()
        await inspect()
        expect(tls.pem).to.deep.equal(made.good)
      }
      const reasons = world.lines.map(({ fields }) => (fields as { err?: RystraError } | undefined)?.err?.detail ?? '')
      expect(reasons.join()).to.match(/expired on .*not valid before /)
      expect(world.warnings(), JSON.stringify(reasons)).to.have.length(2)
      world.clock.advance(2 * 86_400_000)
      await until(() => changes.length > 0)
      expect(changes).to.deep.equal([made.early])
    })

    it('takes the place of one that is over itself', async () => {
      const tls = await watched(world.pair('server', made.expired))
      world.pair('server', made.early)
      await inspect()
      expect(tls.pem).to.deep.equal(made.early)
    })

    it('is read again when a link is put in the place of another, as Kubernetes does', async () => {
      const write = (name: string, pair: KeyPair): void => {
        mkdirSync(path.join(world.dir, name))
        world.pair(`${name}/tls`, pair)
      }
      write('v1', made.good)
      symlinkSync('v1', path.join(world.dir, 'data'))
      await watched({ cert: 'data/tls.crt', key: 'data/tls.key' })
      write('v2', made.renewed)
      symlinkSync('v2', path.join(world.dir, 'new'))
      renameSync(path.join(world.dir, 'new'), path.join(world.dir, 'data'))
      await inspect()
      expect(changes).to.deep.equal([made.renewed])
    })

    it('is read again for its revocation list', async () => {
      const options = {
        ...world.pair('server', made.good),
        clientCa: world.write('ca.pem', made.ca.cert),
        crl: world.write('crl.pem', made.emptyCrl)
      }
      const tls = await watched(options)
      world.write('crl.pem', made.crl)
      await inspect()
      expect(changes.map(({ crl }) => crl)).to.deep.equal([made.crl])
      expect(tls.pem.crl).to.equal(made.crl)
    })

    it('is looked at no more when it is closed', async () => {
      const tls = await watched(world.pair('server', made.good))
      tls.close()
      expect(world.clock.pending).to.equal(0)
    })
  })

  describe('that ends soon', () => {
    const day = 86_400_000

    it('is warned of thirty days before, daily from then on, and when it is over', async () => {
      const pair = await issueServer(made.ca, { keyType: 'ec', commonName: 'localhost', days: 40 })
      const tls = await open(world.pair('short', pair))
      world.clock.advance(9 * day)
      expect(world.warnings()).to.deep.equal([])
      world.clock.advance(day)
      expect(world.warnings()).to.have.length(1)
      expect(world.warnings()[0]).to.match(
        /^the certificate short\.crt expires in 30 days, on \d{4}-\d\d-\d\d: renew it$/
      )
      world.clock.advance(2 * day)
      expect(world.warnings()).to.have.length(3)
      world.clock.advance(28 * day)
      expect(world.warnings()).to.have.length(31)
      expect(world.warnings().at(-1)).to.match(/^the certificate short\.crt has expired on /)
      tls.close()
      world.clock.advance(10 * day)
      expect(world.warnings()).to.have.length(31)
    })

    it('is warned of at once when it is over already, and stops when it was renewed', async () => {
      await open(world.pair('server', made.expired))
      expect(world.warnings()).to.have.length(1)
      expect(world.warnings()[0]).to.match(/has expired/)
      world.pair('server', made.good)
      world.clock.advance(5000)
      await until(() => world.lines.some(({ text }) => text === 'certificate files reloaded'))
      world.clock.advance(3 * day)
      expect(world.warnings()).to.have.length(1)
    })

    it('is warned of for its revocation list as well', async () => {
      await open({
        ...world.pair('server', made.good),
        clientCa: world.write('ca.pem', made.ca.cert),
        crl: world.write('crl.pem', made.crl)
      })
      world.clock.advance(3640 * day)
      expect(world.warnings().join()).to.match(/the revocation list crl\.pem (expires in \d+ days|has expired)/)
    })
  })
})
