import { fingerprintOf, issueClient } from '@rystra/certificates'
import type { ErrorCode } from '@rystra/plugin'
import { expect } from 'chai'
import { X509Certificate } from 'node:crypto'
import type { ClientTlsOptions, ServerTlsOptions } from '../src/index.js'
import { readClientTls, tlsFacts } from '../src/index.js'
import { exchange, HandshakeWorld } from './handshake-world.js'
import { type Certificates, certificates, failure, until } from './world.js'

let made: Certificates
let world: HandshakeWorld

const derOf = (pem: string): Uint8Array => new Uint8Array(new X509Certificate(pem).raw)

describe('what a client trusts', () => {
  before(async () => {
    made = await certificates()
  })

  beforeEach(() => {
    world = new HandshakeWorld()
    world.write('ca.pem', made.ca.cert)
    world.write('other-ca.pem', made.otherCa.cert)
  })

  afterEach(() => world.end())

  it('is a certificate of its authority for the right name', async () => {
    const { port, came } = await world.serve(world.pair('server', made.good))
    const socket = await world.dial(port, { ca: 'ca.pem' })
    const facts = tlsFacts(socket)
    expect(facts).to.deep.include({ version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', alpn: 'rystra/1' })
    expect(facts.serverName).to.equal('localhost')
    expect(facts.certificate).to.deep.equal(derOf(made.good.cert))
    expect(facts.binding).to.have.length(32)
    await until(() => came.length === 1)
    expect(came[0]?.facts).to.deep.include({ serverName: 'localhost', binding: facts.binding, alpn: 'rystra/1' })
    expect(came[0]?.facts).to.not.have.property('certificate')
  })

  it('is a certificate for its address, or for a name that is given instead', async () => {
    const { port, came } = await world.serve(world.pair('server', made.good))
    const byAddress = await world.dial(port, { ca: 'ca.pem' }, { to: '127.0.0.1' })
    expect(tlsFacts(byAddress)).to.not.have.property('serverName')
    const byName = await world.dial(port, { ca: 'ca.pem', serverName: 'localhost' }, { to: '192.0.2.1' })
    expect(tlsFacts(byName).serverName).to.equal('localhost')
    await until(() => came.length === 2)
    expect(came.map(({ facts }) => facts.serverName)).to.deep.equal([undefined, 'localhost'])
  })

  it('is the pinned certificate, whatever its issuer and name, and however the pin is written', async () => {
    const { port } = await world.serve(world.pair('server', made.foreign))
    const pin = fingerprintOf(made.foreign.cert)
    const colons = pin
      .slice(7)
      .toUpperCase()
      .replaceAll(/..(?=.)/g, '$&:')
    for (const fingerprint of [pin, pin.slice(7), colons, `sha256:${colons}`]) {
      const socket = await world.dial(port, { fingerprint })
      expect(tlsFacts(socket).certificate, fingerprint).to.deep.equal(derOf(made.foreign.cert))
    }
  })

  const bad: [string, keyof Certificates, ClientTlsOptions, ErrorCode, RegExp][] = [
    [
      'of another authority',
      'good',
      { ca: 'other-ca.pem' },
      'tls.untrusted',
      /unknown certificate authority \(sha256:[0-9a-f]{64}\)$/
    ],
    ['of an unknown authority', 'good', {}, 'tls.untrusted', /unknown certificate authority/],
    ['that is self-signed', 'selfSigned', {}, 'tls.untrusted', /self-signed certificate \(sha256:[0-9a-f]{64}\)$/],
    ['that is self-signed, with an authority given', 'selfSigned', { ca: 'ca.pem' }, 'tls.untrusted', /self-signed/],
    [
      'of another host',
      'foreign',
      { ca: 'ca.pem' },
      'tls.wrong-host',
      /does not contain this host name \(DNS:foreign\.example\)$/
    ],
    ['that has expired', 'expired', { ca: 'ca.pem' }, 'tls.expired', /certificate has expired \(/],
    ['that is not valid yet', 'early', { ca: 'ca.pem' }, 'tls.expired', /certificate is not valid yet \(/]
  ]
  for (const [what, which, options, code, says] of bad) {
    it(`is no certificate ${what}`, async () => {
      const { port, came } = await world.serve(world.pair('server', made[which] as Certificates['good']))
      const error = await failure(world.dial(port, options))
      expect([error.code, error.side]).to.deep.equal([code, 'client'])
      expect(error.detail).to.match(says)
      expect(error.detail).to.include('tls localhost, ')
      // The peer that is not trusted has seen nothing of us, and others may come.
      for (const { socket } of came) await until(() => socket.destroyed || socket.readableLength === 0)
    })
  }

  it('is the pinned certificate whatever the clock says, unless an authority is given as well', async () => {
    for (const which of [made.expired, made.early]) {
      const { port } = await world.serve(world.pair('server', which))
      const pin = { fingerprint: fingerprintOf(which.cert) }
      expect((await world.dial(port, pin)).destroyed).to.equal(false)
      expect((await failure(world.dial(port, { ...pin, ca: 'ca.pem' }))).code).to.equal('tls.expired')
    }
  })

  it('is no other certificate than the pinned one, were it of the right authority', async () => {
    const { port } = await world.serve(world.pair('server', made.good))
    const fingerprint = fingerprintOf(made.renewed.cert)
    for (const options of [{ fingerprint }, { fingerprint, ca: 'ca.pem' }]) {
      const error = await failure(world.dial(port, options))
      expect(error.code).to.equal('tls.wrong-fingerprint')
      expect(error.detail).to.include(fingerprintOf(made.good.cert))
    }
    const both = { fingerprint: fingerprintOf(made.good.cert), ca: 'other-ca.pem' }
    expect((await failure(world.dial(port, both))).code, 'pin and authority').to.equal('tls.untrusted')
  })

  it('is checked the same for TLS on a stream that is not a socket', async () => {
    const check = async (options: ClientTlsOptions, pem: string, to = 'localhost'): Promise<string> => {
      const trust = await readClientTls(options, to, world)
      try {
        trust.checkCertificate(new X509Certificate(pem))
        return 'fine'
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    const pin = { fingerprint: fingerprintOf(made.good.cert) }
    expect(await check({ ca: 'ca.pem' }, made.good.cert)).to.equal('fine')
    expect(await check({ ca: 'ca.pem' }, made.good.cert, '127.0.0.1')).to.equal('fine')
    expect(await check({ ca: 'ca.pem' }, made.good.cert, '127.0.0.2')).to.equal('tls.wrong-host')
    expect(await check({ ca: 'ca.pem' }, made.foreign.cert)).to.equal('tls.wrong-host')
    expect(await check({ ca: 'ca.pem' }, made.expired.cert)).to.equal('tls.expired')
    expect(await check(pin, made.good.cert, 'anything')).to.equal('fine')
    expect(await check(pin, made.renewed.cert)).to.equal('tls.wrong-fingerprint')
  })

  it('cannot be read from files that are not there or not right', async () => {
    const pair = world.pair('client', made.client)
    const cases: [ClientTlsOptions, RegExp][] = [
      [{ ca: 'gone.pem' }, /ca gone\.pem: file not found/],
      [{ cert: pair.cert }, /`cert` is given without `key`/],
      [{ ...pair, key: world.pair('other', made.strange).key }, /does not match/]
    ]
    for (const [options, says] of cases) {
      const error = await failure(world.dialer.trust(options, 'localhost'))
      expect([error.code, error.detail]).to.deep.equal(['tls.files', error.detail?.match(says)?.input], String(says))
    }
  })

  it('is reported of when the certificate of the client itself ends, once a day', async () => {
    const pair = world.pair('client', made.client)
    await world.dialer.trust(pair, 'localhost')
    expect(world.warnings()).to.deep.equal([])
    world.clock.advance(380 * 86_400_000)
    await world.dialer.trust(pair, 'localhost')
    world.clock.advance(5000)
    await world.dialer.trust(pair, 'localhost')
    expect(world.warnings()).to.have.length(1)
    expect(world.warnings()[0]).to.match(/^the certificate client\.crt of this client expires in \d+ days/)
  })

  it('is reported of when the certificate of the client itself is not valid yet: its clock may be wrong', async () => {
    const notBefore = new Date(world.clock.now() + 10 * 86_400_000)
    const early = await issueClient(made.ca, { keyType: 'ec', commonName: 'early', notBefore, days: 2 })
    await world.dialer.trust(world.pair('early', early), 'localhost')
    expect(world.warnings().join()).to.match(
      /^the certificate early\.crt of this client is not valid before \d{4}-\d\d-\d\d: check the clock of this machine$/
    )
  })

  describe('when a session is resumed', () => {
    const joined = async (options: ClientTlsOptions, server: ServerTlsOptions) => {
      const served = await world.serve(server)
      const dial = async () => {
        const before = served.came.length
        const client = await world.dial(served.port, options)
        await until(() => served.came.length > before)
        const far = served.came[before] as (typeof served.came)[number]
        await exchange(client, far.socket)
        return { client, far }
      }
      return { ...served, dial }
    }

    for (const minVersion of ['1.3', '1.2'] as const) {
      it(`stays what it was, from TLS ${minVersion} on`, async () => {
        const { dial } = await joined({ ca: 'ca.pem', minVersion }, { ...world.pair('server', made.good), minVersion })
        const first = await dial()
        const second = await dial()
        expect([first, second].map(({ client }) => client.isSessionReused())).to.deep.equal([false, true])
        expect(second.far.socket.isSessionReused()).to.equal(true)
        expect(tlsFacts(second.client).certificate).to.deep.equal(derOf(made.good.cert))
        expect(tlsFacts(second.client).binding).to.deep.equal(second.far.facts.binding)
        expect(tlsFacts(second.client).binding).to.not.deep.equal(first.far.facts.binding)
      })
    }

    it('does not count for other options: a pin is not got round', async () => {
      const { dial, port } = await joined({ ca: 'ca.pem' }, world.pair('server', made.good))
      await dial()
      const fingerprint = fingerprintOf(made.renewed.cert)
      expect((await failure(world.dial(port, { ca: 'ca.pem', fingerprint }))).code).to.equal('tls.wrong-fingerprint')
      expect((await failure(world.dial(port, {}))).code).to.equal('tls.untrusted')
      expect((await failure(world.dial(port, { ca: 'ca.pem', serverName: 'a.b' }))).code).to.equal('tls.wrong-host')
      expect((await dial()).client.isSessionReused(), 'under the same options').to.equal(true)
    })

    it('holds the pin of its first handshake', async () => {
      const pinned = { fingerprint: fingerprintOf(made.good.cert) }
      const { dial } = await joined(pinned, world.pair('server', made.good))
      await dial()
      const { client } = await dial()
      expect(client.isSessionReused()).to.equal(true)
      expect(tlsFacts(client).certificate).to.deep.equal(derOf(made.good.cert))
    })

    it('begins anew when the server has another certificate, or the client other files', async () => {
      const { dial, came } = await joined({ ca: 'ca.pem' }, world.pair('server', made.good))
      await dial()
      world.pair('server', made.renewed)
      world.clock.advance(5000)
      await until(() => world.lines.some(({ text }) => text === 'certificate files reloaded'))
      const { client } = await dial()
      expect(client.isSessionReused()).to.equal(false)
      expect(tlsFacts(client).certificate).to.deep.equal(derOf(made.renewed.cert))
      world.write('ca.pem', made.otherCa.cert)
      world.clock.advance(1000)
      expect((await failure(dial())).code).to.equal('tls.untrusted')
      for (const { socket } of came) socket.resume()
    })

    it('keeps few sessions, uses each once, and the last as often as it is needed', async () => {
      const { dial } = await joined({ ca: 'ca.pem' }, world.pair('server', made.good))
      const trust = await world.dialer.trust({ ca: 'ca.pem' }, 'localhost')
      await dial()
      expect(trust.sessions.size).to.equal(2)
      for (let count = 0; count < 4; count += 1) expect((await dial()).client.isSessionReused()).to.equal(true)
      expect(trust.sessions.size).to.equal(1)
      const { session, leaf } = trust.sessions.next() ?? expect.fail('nothing is kept')
      for (let count = 0; count < 50; count += 1) trust.sessions.keep(session, leaf)
      expect(trust.sessions.size).to.equal(16)
      expect(
        session.includes(Buffer.from(derOf(made.good.cert))),
        'a certificate that is parsed at each resumption'
      ).to.equal(false)
      const [older, malformed] = [Buffer.from('300802010102020303a300', 'hex'), session.subarray(0, 20)]
      for (const other of [older, malformed]) trust.sessions.keep(other, leaf)
      expect([trust.sessions.next()?.session, trust.sessions.next()?.session]).to.deep.equal([malformed, older])
      trust.sessions.forget()
      expect((await dial()).client.isSessionReused()).to.equal(false)
    })
  })
})
