import { issueServer, type KeyPair, makeAuthority } from '@rystra/certificates'
import { isRystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import tls from 'node:tls'
import { clientHello, outcome, until, World } from './world.js'

const year = 365 * 86_400_000
const names = ['app.example.org', '*.wild.example.org']
let ca: KeyPair
let good: KeyPair
let renewed: KeyPair
let expired: KeyPair
let other: KeyPair
let world: World

/** The certificate that a visitor gets who asks for this name. */
const serialOf = async (servername: string): Promise<string> => {
  const socket = await world.secure({ servername, ca: ca.cert })
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

const serialIn = ({ cert }: KeyPair): string => new X509Certificate(cert).serialNumber

/** The next checkFiles at the files; what comes of it comes later. */
const checkFiles = (): void => world.clock.advance(5000)

const readAgain = (): Promise<void> =>
  until(() => world.logged.some(({ text }) => text.startsWith('certificate files reloaded')))

/** What each of the groups below begins and ends with. */
const fixture = (): void => {
  before(async () => {
    ca = await makeAuthority({ commonName: 'tests', bits: 2048, notBefore: new Date(Date.now() - 3 * year) })
    ;[good, renewed, expired, other] = await Promise.all([
      issueServer(ca, { commonName: 'app.example.org', names }),
      issueServer(ca, { commonName: 'app.example.org', names: [...names, 'new.example.org'], keyType: 'ec' }),
      issueServer(ca, { commonName: 'app.example.org', names, notBefore: new Date(Date.now() - 2 * year), days: 30 }),
      issueServer(ca, { commonName: 'other.example.org' })
    ])
  })
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.close())
}

describe('a host with a certificate here', () => {
  fixture()

  it('passes https visitors to the kind http, with their address, protocol and host', async () => {
    await world.start({ certificates: [world.pair('server', good)] })
    for (const [servername, offered, alpn] of [
      ['app.example.org', ['h2', 'http/1.1'], 'h2'],
      ['app.example.org', ['http/1.1'], 'http/1.1'],
      ['x.wild.example.org', undefined, undefined]
    ] as const) {
      const visitor = await world.secure({
        servername,
        ca: ca.cert,
        ...(offered === undefined ? {} : { ALPNProtocols: [...offered] })
      })
      await until(() => world.handed.length === 1)
      const [{ socket, from }] = world.handed.splice(0) as [(typeof world.handed)[number]]
      expect(from).to.deep.equal({
        visitor: { host: '127.0.0.1', port: visitor.localPort, to: { host: '127.0.0.1', port: world.port } },
        secure: true,
        serverName: servername,
        ...(alpn === undefined ? {} : { alpn })
      })
      visitor.write('asked')
      expect(String((await once(socket, 'data'))[0])).to.equal('asked')
      socket.end('answered')
      expect(String((await outcome(visitor)).bytes)).to.equal('answered')
    }
    expect(world.relayed).to.have.length(0)
  })

  it('has its own certificate, whatever the type of its key and of the others, in TLS 1.2 and 1.3', async () => {
    const issue = (name: string, keyType: 'rsa' | 'ec'): Promise<KeyPair> =>
      issueServer(ca, { commonName: `${name}.example.org`, keyType })
    const pairs = { 'rsa-1': other, 'ec-1': await issue('ec-1', 'ec'), 'ec-2': await issue('ec-2', 'ec') }
    for (const order of [['rsa-1', 'ec-1', 'ec-2'] as const, ['ec-1', 'rsa-1', 'ec-2'] as const]) {
      await world.start({
        certificates: order.map((name) => ({ ...world.pair(name, pairs[name]), hosts: [`${name}.example.org`] }))
      })
      for (const name of order) {
        for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
          const socket = await world.secure({
            servername: `${name}.example.org`,
            ca: ca.cert,
            maxVersion,
            checkServerIdentity: () => undefined
          })
          expect(socket.getPeerCertificate().serialNumber, `${name} ${maxVersion}`).to.equal(serialIn(pairs[name]))
          expect(socket.getPeerX509Certificate()?.publicKey.asymmetricKeyType).to.equal(name.split('-')[0])
          socket.destroy()
        }
      }
      await world.setUp.stop()
    }
  })

  it('is that of the nearest certificate, for one label of a wildcard', async () => {
    const wild = await issueServer(ca, { commonName: 'x.wild.example.org' })
    await world.start({
      certificates: [
        world.pair('server', good),
        { ...world.pair('other', other), hosts: ['other.example.org'] },
        world.pair('wild', wild)
      ]
    })
    expect(await serialOf('app.example.org')).to.equal(serialIn(good))
    expect(await serialOf('OTHER.example.org')).to.equal(serialIn(other))
    expect(await serialOf('y.wild.example.org')).to.equal(serialIn(good))
    expect(await serialOf('x.wild.example.org')).to.equal(serialIn(wild))
    for (const servername of ['x.y.wild.example.org', 'wild.example.org', 'example.org']) {
      expect(await world.failure({ servername, ca: ca.cert }), servername).to.match(/UNRECOGNIZED_NAME/)
    }
  })

  it('stands behind nearer names that are passed through, and before farther ones', async () => {
    await world.start({
      certificates: [world.pair('server', good)],
      hosts: [{ identity: 'home', hosts: ['*'] }]
    })
    await world.publish({ host: ['a.wild.example.org', '*.example.org'] })
    for (const servername of ['a.wild.example.org', 'b.example.org', 'x.y.wild.example.org']) {
      ;(await world.connect()).write(await clientHello({ servername }))
      await until(() => world.relayed.length === 1)
      world.relayed.splice(0)
    }
    expect(await serialOf('app.example.org')).to.equal(serialIn(good))
    expect(await serialOf('b.wild.example.org')).to.equal(serialIn(good))
    await world.publish({ host: '*.wild.example.org' })
    ;(await world.connect()).write(await clientHello({ servername: 'b.wild.example.org' }))
    await until(() => world.relayed.length === 1)
  })

  it('has TLS 1.2 and 1.3 and nothing older, resumes sessions, and is not asked for other protocols', async () => {
    await world.start({ certificates: [world.pair('server', good)], http2: false })
    const to = { servername: 'app.example.org', ca: ca.cert }
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = tls.connect({
        host: '127.0.0.1',
        port: world.port,
        ...to,
        minVersion: version,
        maxVersion: version
      })
      world.later(() => first.destroy())
      first.on('error', () => {}).resume()
      const [session] = (await once(first, 'session')) as [Buffer]
      expect(first.getProtocol()).to.equal(version)
      const again = await world.secure({ ...to, session, maxVersion: version })
      expect(again.isSessionReused(), `a session of ${version}`).to.equal(true)
    }
    expect(
      await world.failure({ ...to, maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
    ).to.match(/PROTOCOL/)
    expect(await world.failure({ ...to, ALPNProtocols: ['h2'] })).to.match(/NO_APPLICATION_PROTOCOL/)
  })

  it('does without files for a name of this machine', async () => {
    await world.start({ certificates: [{ hosts: ['*.localhost'] }] })
    await world.secure({ servername: 'app.localhost', rejectUnauthorized: false })
    await until(() => world.handed.length === 1)
  })

  it('closes a connection whose handshake does not complete in time', async () => {
    await world.start({ certificates: [world.pair('server', good)], handshakes: 5 })
    const hello = await clientHello({ servername: 'app.example.org' })
    const begin = async () => {
      const socket = await world.connect()
      const over = outcome(socket)
      socket.write(hello)
      return { socket, over }
    }
    const quiet = await begin()
    const gone = await begin()
    await once(gone.socket, 'readable').catch(() => {})
    gone.socket.resetAndDestroy()
    // The one that said something wrong in the middle of its handshake.
    const wrong = await begin()
    wrong.socket.write(Buffer.alloc(100, 0x17))
    await wrong.over
    for (let count = 0; count < 10; count += 1) await begin()
    expect((await quiet.over).bytes.length, 'what the server said before').to.be.greaterThan(0)
    expect(world.codes()).to.include('tls.handshake')
    await world.secure({ servername: 'app.example.org', ca: ca.cert })
    await until(() => world.handed.length === 1)
    world.clock.advance(10_000)
    // The looks at the files, and at their end.
    await until(() => world.clock.pending === 2)
    expect(world.handed[0]?.socket.destroyed).to.equal(false)
  })
})

describe('certificate files', () => {
  fixture()

  it('are read again, and connections that are up go on', async () => {
    await world.start({ certificates: [world.pair('server', good)] })
    const visitor = await world.secure({ servername: 'app.example.org', ca: ca.cert })
    await until(() => world.handed.length === 1)
    expect(await world.failure({ servername: 'new.example.org', ca: ca.cert })).to.match(/UNRECOGNIZED_NAME/)
    world.pair('server', renewed)
    checkFiles()
    await readAgain()
    expect(await serialOf('app.example.org')).to.equal(serialIn(renewed))
    expect(await serialOf('new.example.org'), 'a host that is new in the certificate').to.equal(serialIn(renewed))
    visitor.write('still here')
    const [{ socket }] = world.handed as [(typeof world.handed)[number]]
    expect(String((await once(socket, 'data'))[0])).to.equal('still here')
  })

  it('that are broken, half written, of two pairs or over leave the old ones in place', async () => {
    await world.start({ certificates: [world.pair('server', good)] })
    const cases: [what: string, pair: KeyPair][] = [
      ['half written', { ...renewed, cert: renewed.cert.slice(0, 600) }],
      ['empty', { cert: '', key: '' }],
      ['of two pairs', { cert: renewed.cert, key: good.key }],
      ['over', expired]
    ]
    for (const [index, [what, pair]] of cases.entries()) {
      world.pair('server', pair)
      checkFiles()
      await until(() => world.warnings().length === index + 1)
      expect(world.warnings().at(-1), what).to.match(/^changed certificate files are invalid/)
      expect(await serialOf('app.example.org'), what).to.equal(serialIn(good))
    }
    world.pair('server', renewed)
    checkFiles()
    await readAgain()
    expect(await serialOf('app.example.org')).to.equal(serialIn(renewed))
  })

  it('that cannot be used at the start are named', async () => {
    const failing = async (entry: Record<string, unknown>, pattern: RegExp): Promise<void> => {
      const one = new World()
      try {
        world.pair('server', good)
        one.pair('server', good)
        one.write('broken.crt', 'no certificate')
        await one.start({ certificates: [entry] }).then(
          () => expect.fail('it started'),
          (error: unknown) => {
            expect(isRystraError(error) && error.code).to.equal('tls.files')
            expect((error as Error).message).to.match(pattern)
          }
        )
      } finally {
        await one.close()
      }
    }
    await failing({ cert: 'broken.crt', key: 'server.key' }, /cert broken\.crt: contains no certificate/)
    await failing({ cert: 'server.crt', key: 'none.key' }, /key none\.key: file not found/)
    const nameless = await issueServer(ca, { commonName: 'nameless', names: ['127.0.0.1'] })
    const one = new World()
    try {
      const started = one.start({ certificates: [one.pair('nameless', nameless)] })
      expect(await started.catch(({ message }: Error) => message)).to.match(
        /no host is named in it, so `hosts` is needed/
      )
    } finally {
      await one.close()
    }
  })

  it('cause a warning when they are expired, or for other hosts than they should serve', async () => {
    await world.start({
      certificates: [
        world.pair('expired', expired),
        { ...world.pair('other', other), hosts: ['elsewhere.example.org', 'other.example.org'] },
        world.pair('again', good)
      ]
    })
    const warnings = world.warnings().join('\n')
    expect(warnings).to.match(/expired\.crt has expired/)
    expect(world.warnings().filter((text) => text.startsWith('the certificate is not for this host'))).to.have.length(1)
    expect(world.warnings().filter((text) => text.startsWith('the host is in a certificate before'))).to.have.length(2)
    expect(await serialOf('other.example.org')).to.equal(serialIn(other))
  })
})
