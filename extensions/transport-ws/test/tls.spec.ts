import { issueClient, issueServer, makeAuthority, revoke, selfSigned } from '@rystra/certificates'
import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import {
  authority,
  ca,
  cleanUp,
  dial,
  failure,
  joined,
  later,
  listen,
  type Listening,
  readAll,
  save,
  say,
  serve,
  until
} from './setup.js'

/** A link that goes on working whatever happens next to it. */
const witness = async (listening: Listening, options = {}): Promise<() => Promise<void>> => {
  const { near, far } = await joined('wss', listening, options)
  far.duplex.pipe(far.duplex)
  return async () => {
    near.duplex.write('still here')
    const [echo] = (await once(near.duplex, 'data')) as [Buffer]
    expect(String(echo)).to.equal('still here')
  }
}

/** Where TLS ends in front of the server: what is inside goes on to another port, inside TLS again or not. */
const proxyTo = (port: number, key: string, cert: string, again: boolean): Promise<number> => {
  const context = tls.createSecureContext({ key, cert })
  return serve((socket) => {
    const front = new tls.TLSSocket(socket, { isServer: true, secureContext: context, ALPNProtocols: ['http/1.1'] })
    const behind = again
      ? tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
      : net.connect(port, '127.0.0.1')
    later(() => behind.destroy())
    for (const [from, to] of [
      [front, behind],
      [behind, front]
    ] as const) {
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  })
}

describe('certificates of a wss listener', () => {
  afterEach(cleanUp)

  it('that are not to be trusted are refused by the client, each with its code', async () => {
    const expired = await issueServer(authority, {
      keyType: 'ec',
      commonName: 'localhost',
      names: ['127.0.0.1'],
      days: 1,
      notBefore: new Date(Date.now() - 3 * 86_400_000)
    })
    const foreign = await issueServer(authority, { keyType: 'ec', commonName: 'foreign.example' })
    const own = await selfSigned({ keyType: 'ec', commonName: 'localhost', names: ['127.0.0.1'] })
    const unknown = await issueServer(await makeAuthority({ keyType: 'ec', commonName: 'Another authority' }), {
      keyType: 'ec',
      commonName: 'localhost',
      names: ['127.0.0.1']
    })
    for (const [name, pair, code] of [
      ['expired', expired, 'tls.expired'],
      ['foreign', foreign, 'tls.wrong-host'],
      ['own', own, 'tls.untrusted'],
      ['unknown', unknown, 'tls.untrusted']
    ] as const) {
      const files = { cert: save(`${name}.pem`, pair.cert), key: save(`${name}.key`, pair.key) }
      const listening = await listen('wss', files)
      const error = await failure(dial('wss', listening.port))
      expect([error.code, error.side], `${name}: ${error.message}`).to.deep.equal([code, 'client'])
      expect(listening.links).to.have.length(0)
    }
  })

  it('may be pinned, and then count alone', async () => {
    const listening = await listen('wss', { cert: undefined, key: undefined })
    const { fingerprint } = listening.listener.join ?? {}
    await dial('wss', listening.port, { ca: undefined, fingerprint })
    const wrong = `sha256:${'00'.repeat(32)}`
    const error = await failure(dial('wss', listening.port, { ca: undefined, fingerprint: wrong }))
    expect(error.code).to.equal('tls.wrong-fingerprint')
  })
})

describe('certificates of a wss client', () => {
  afterEach(cleanUp)

  it('are looked at by the server, and what is wrong is reported on both sides', async () => {
    const [good, bad] = await Promise.all(
      ['good', 'bad'].map((commonName) => issueClient(authority, { keyType: 'ec', commonName }))
    )
    if (good === undefined || bad === undefined) throw new Error('no certificates')
    const files = (name: string, pair: { cert: string; key: string }) => ({
      cert: save(`${name}.pem`, pair.cert),
      key: save(`${name}.key`, pair.key)
    })
    const crl = save('crl.pem', await revoke(authority, [bad.cert]))
    const listening = await listen('wss', { clientCa: ca, clientCert: 'required', crl })
    const others = await witness(listening, files('good', good))
    expect(listening.links[0]?.peer.tls?.certificate?.length, 'who it is').to.be.above(100)
    const revoked = await failure(dial('wss', listening.port, files('bad', bad)))
    expect([revoked.code, revoked.side], revoked.message).to.deep.equal(['tls.revoked', 'server'])
    const none = await failure(dial('wss', listening.port))
    expect([none.code, none.side], none.message).to.deep.equal(['tls.certificate-required', 'server'])
    const codes = listening.lines.map(({ code }) => code)
    expect(codes).to.include.members(['tls.revoked', 'tls.certificate-required'])
    expect(listening.links).to.have.length(1)
    await others()
  })
})

describe('unauthenticated peers at a wss port', () => {
  afterEach(cleanUp)

  it('get an answer that they understand, and affect no other link', async () => {
    const listening = await listen('wss')
    const others = await witness(listening)
    expect(await say(listening.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).to.match(/^HTTP\/1\.1 400 /)
    const client = await failure(dial('ws', listening.port))
    expect(client.code, client.message).to.equal('connect.refused')
    expect(listening.lines.map(({ code }) => code)).to.deep.equal(['tls.not-tls', 'tls.not-tls'])
    await others()
  })

  it('with TLS 1.0 get an alert that it is too old', async () => {
    const listening = await listen('wss')
    const others = await witness(listening)
    const old = tls.connect({
      port: listening.port,
      host: '127.0.0.1',
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1',
      ciphers: 'DEFAULT@SECLEVEL=0',
      rejectUnauthorized: false
    })
    later(() => old.destroy())
    const [error] = (await once(old, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).to.match(/ALERT_PROTOCOL_VERSION/)
    await until(() => listening.lines.length > 0)
    expect(listening.lines[0]?.code).to.equal('tls.handshake')
    await others()
  })

  it('have ten seconds for TLS, and ten for a request', async () => {
    const listening = await listen('wss')
    const others = await witness(listening)
    const silent = net.connect(listening.port, '127.0.0.1')
    silent.on('error', () => {})
    later(() => silent.destroy())
    const idle = tls.connect({ port: listening.port, host: '127.0.0.1', rejectUnauthorized: false })
    later(() => idle.destroy())
    await Promise.all([once(silent, 'connect'), once(idle, 'secureConnect')])
    const answer = readAll(idle)
    const gone = once(silent, 'close')
    silent.resume()
    // Both have arrived at the server when a later client has.
    await joined('wss', listening)
    listening.clock.advance(10_000)
    expect(await answer).to.match(/^HTTP\/1\.1 408 /)
    await gone
    await others()
  })

  it('of other protocols get an ALPN alert', async () => {
    const listening = await listen('wss')
    const other = tls.connect({
      port: listening.port,
      host: '127.0.0.1',
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false
    })
    later(() => other.destroy())
    const [error] = (await once(other, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).to.match(/NO_APPLICATION_PROTOCOL/)
  })

  it('who serve plain HTTP where TLS is expected are reported so', async () => {
    const { port } = await listen('ws')
    const error = await failure(dial('wss', port))
    expect(error.code, error.message).to.equal('tls.not-tls')
  })
})

describe('TLS that ends in front of the server', () => {
  afterEach(cleanUp)

  const proxyPair = issueServer(authority, { keyType: 'ec', commonName: 'localhost', names: ['127.0.0.1'] })

  it('is found out, and reported what to do', async () => {
    const { cert, key } = await proxyPair
    for (const [transport, again] of [
      ['ws', false],
      ['wss', true]
    ] as const) {
      const listening = await listen(transport)
      const error = await failure(dial('wss', await proxyTo(listening.port, key, cert, again)))
      expect(error.code, transport).to.equal('tls.terminated')
      expect(error.hint).to.match(/tlsTerminated/)
    }
  })

  it('is fine when it is meant so', async () => {
    const { cert, key } = await proxyPair
    for (const [transport, again, options] of [
      ['ws', false, {}],
      ['wss', true, { tlsTerminated: true }]
    ] as const) {
      const listening = await listen(transport, options)
      const front = await proxyTo(listening.port, key, cert, again)
      const { duplex, peer } = await dial('wss', front, { tlsTerminated: true })
      expect(peer.tls).to.include({ version: 'TLSv1.3' })
      expect(peer.tls).to.not.have.any.keys('binding', 'certificate')
      await until(() => listening.links.length === 1)
      expect(listening.links[0]?.peer.tls ?? {}).to.not.have.any.keys('binding', 'certificate')
      const far = listening.links[0]?.duplex
      far?.pipe(far)
      duplex.end('there and back')
      expect(await readAll(duplex)).to.equal('there and back')
    }
  })

  it('is not what it is when it reaches the server', async () => {
    const listening = await listen('wss')
    const error = await failure(dial('wss', listening.port, { tlsTerminated: true }))
    expect([error.code, /remove `tlsTerminated`/.test(error.hint)]).to.deep.equal(['tls.terminated', true])
  })

  it('is not there when both ends have the same binding', async () => {
    const { near, far } = await joined('wss', await listen('wss'))
    expect(near.peer.tls?.binding).to.have.length(32)
    expect(Buffer.from(near.peer.tls?.binding ?? []).equals(far.peer.tls?.binding ?? Buffer.alloc(0))).to.equal(true)
  })
})
