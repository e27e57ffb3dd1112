import { fingerprintOf, type KeyPair } from '@rystra/certificates'
import type { RystraError } from '@rystra/model'
import { dataLinkOpening } from '@rystra/protocol'
import { expect } from 'chai'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import tls from 'node:tls'
import { FakeClock } from '@rystra/testkit'
import { cuttable } from './cuttable.js'
import {
  echo,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  token,
  until,
  visit,
  visitorPort
} from './tunnel.js'
import {
  preset,
  type Made,
  made,
  dir,
  write,
  pair,
  serve,
  connect,
  join,
  refusal,
  recorder,
  tlsRelay,
  fixture
} from './tls-world.js'

describe('a tunnel over TLS', () => {
  fixture()

  for (const muxer of ['yamux', 'direct']) {
    describe(`with ${muxer}`, () => {
      it('carries bytes both ways, and ends one way before the other', async () => {
        const server = await serve(pair('server', made.server))
        const service = await startService((socket) => {
          const chunks: Buffer[] = []
          socket.on('data', (chunk: Buffer) => chunks.push(chunk))
          socket.on('end', () => socket.end(createHash('sha256').update(Buffer.concat(chunks)).digest()))
        })
        const client = await join(portOf(server), { ca: 'ca.pem' }, service, muxer)
        const sent = Buffer.alloc(3_000_000, 'rystra')
        const digests = await Promise.all(
          Array.from({ length: 4 }, async () => {
            const visitor = await visit(visitorPort(client, 'echo'))
            visitor.end(sent)
            return readAll(visitor)
          })
        )
        const right = createHash('sha256').update(sent).digest()
        for (const digest of digests) expect(digest).to.deep.equal(right)
        const [session] = server.sessions
        expect(session?.peer.tls).to.include({ version: 'TLSv1.3', alpn: 'rystra/1' })
      })

      it('shows a visitor that was cut off as a reset to the service', async () => {
        const server = await serve(pair('server', made.server))
        let ended = ''
        const service = await startService((socket) => {
          socket.on('error', (error: NodeJS.ErrnoException) => (ended = error.code ?? ''))
          socket.on('end', () => (ended = 'end'))
          socket.pipe(socket)
        })
        const client = await join(portOf(server), { ca: 'ca.pem' }, service, muxer)
        const visitor = await visit(visitorPort(client, 'echo'))
        visitor.write('x')
        await once(visitor, 'data')
        visitor.resetAndDestroy()
        await until(() => ended !== '')
        expect(ended).to.equal('ECONNRESET')
      })

      it('comes back after the network was cut, and resumes its session', async () => {
        const server = await serve(pair('server', made.server))
        const hop = await cuttable(portOf(server))
        const reused: boolean[] = []
        const client = await startClient(
          hop.port,
          [{ name: 'echo', kind: 'tcp', local: await startService(echo) }],
          connect(hop.port, { ca: 'ca.pem' }, muxer),
          [],
          { preset, dir }
        )
        const original = tls.TLSSocket.prototype.exportKeyingMaterial
        // Called for each link whose handshake is done, on both ends.
        tls.TLSSocket.prototype.exportKeyingMaterial = function (this: tls.TLSSocket, ...args) {
          reused.push(this.isSessionReused())
          return original.apply(this, args)
        }
        later(() => {
          tls.TLSSocket.prototype.exportKeyingMaterial = original
        })
        const back = once(client, 'connected')
        hop.cut()
        await back
        await until(() => client.proxies.length === 1)
        const visitor = await visit(visitorPort(client, 'echo'))
        visitor.write('back')
        expect(String((await once(visitor, 'data'))[0])).to.equal('back')
        expect(reused, 'links after the cut').to.include(true)
      })

      it('goes on when the certificate is replaced, which those who come later get', async () => {
        const clock = new FakeClock(Date.now())
        const server = await serve(pair('changing', made.server), clock)
        const service = await startService(echo)
        const client = await join(portOf(server), { fingerprint: fingerprintOf(made.server.cert) }, service, muxer)
        const visitor = await visit(visitorPort(client, 'echo'))
        visitor.write('before')
        expect(String((await once(visitor, 'data'))[0])).to.equal('before')
        pair('changing', made.renewed)
        const shown = async (): Promise<string> => {
          const socket = tls.connect({ port: portOf(server), ca: made.ca.cert, ALPNProtocols: ['rystra/1'] })
          socket.on('error', () => {})
          await once(socket, 'secureConnect')
          const { raw } = socket.getPeerX509Certificate() as { raw: Buffer }
          socket.destroy()
          return fingerprintOf(raw)
        }
        expect(await shown()).to.equal(fingerprintOf(made.server.cert))
        clock.advance(5000)
        await until(async () => (await shown()) === fingerprintOf(made.renewed.cert))
        visitor.write('after')
        expect(String((await once(visitor, 'data'))[0])).to.equal('after')
      })
    })
  }

  it('works with the certificate that the server makes for itself, pinned', async () => {
    const server = await serve({})
    const own = path.join(dir, 'state', 'tls', 'server.pem')
    const fingerprint = fingerprintOf(readFileSync(own, 'utf8'))
    expect(server.listening[0]?.join).to.deep.equal({ fingerprint })
    const client = await join(portOf(server), { fingerprint }, await startService(echo))
    const visitor = await visit(visitorPort(client, 'echo'))
    visitor.write('hi')
    expect(String((await once(visitor, 'data'))[0])).to.equal('hi')
    expect((await refusal(portOf(server), {})).code).to.equal('tls.untrusted')
  })

  describe('is refused', () => {
    const onClient: [string, keyof Made, Record<string, unknown>, string][] = [
      ['where the certificate has expired', 'expired', { ca: 'ca.pem' }, 'tls.expired'],
      ['where the certificate is for another host', 'otherName', { ca: 'ca.pem' }, 'tls.wrong-host'],
      ['where the certificate is self-signed and not pinned', 'alone', {}, 'tls.untrusted'],
      ['where no peer knows the authority', 'server', {}, 'tls.untrusted'],
      ['where another certificate is pinned', 'server', { fingerprint: 'ab'.repeat(32) }, 'tls.wrong-fingerprint']
    ]
    for (const [what, which, dial, code] of onClient) {
      it(`by the client ${what}`, async () => {
        const server = await serve(pair(which, made[which] as KeyPair))
        const error = await refusal(portOf(server), dial)
        expect([error.code, error.side]).to.deep.equal([code, 'client'])
        expect(server.sessions).to.have.length(0)
      })
    }

    it('by the server without a certificate of the client, or with one that was revoked, and the client says so', async () => {
      write('crl.pem', made.crl)
      const server = await serve({
        ...pair('server', made.server),
        clientCa: 'ca.pem',
        clientCert: 'required',
        crl: 'crl.pem'
      })
      const without = await refusal(portOf(server), { ca: 'ca.pem' })
      expect([without.code, without.side]).to.deep.equal(['tls.certificate-required', 'server'])
      const revoked = await refusal(portOf(server), { ca: 'ca.pem', ...pair('revoked', made.revoked) })
      expect([revoked.code, revoked.side]).to.deep.equal(['tls.revoked', 'server'])
      await join(portOf(server), { ca: 'ca.pem', ...pair('client', made.client) }, await startService(echo))
      expect(server.sessions).to.have.length(1)
    })

    it('by the server where its files are of no use, at its start', async () => {
      write('cut.crt', made.server.cert.slice(0, 700))
      const error = await serve({ cert: 'cut.crt', key: pair('server', made.server).key }).catch(
        (thrown: unknown) => thrown
      )
      expect((error as RystraError).code).to.equal('tls.files')
      expect((error as RystraError).detail).to.include('cut.crt')
    })

    it('by either end when one speaks TLS and the other does not', async () => {
      const bare = await startServer({}, [], { preset })
      const other = await refusal(portOf(bare), { ca: 'ca.pem' })
      expect([other.code, other.side]).to.deep.equal(['tls.not-tls', 'server'])
      const server = await serve(pair('server', made.server))
      expect((await refusal(portOf(server), { transport: 'tcp' })).code).to.equal('protocol.not-rystra')
    })
  })

  it('lets no relay in between pass on a proof, even with a certificate of the same authority', async () => {
    const server = await serve(pair('server', made.server))
    const { port, relayed } = await tlsRelay(portOf(server), made.relay, made.ca.cert)
    const refused = once(server, 'refused')
    const error = await refusal(port, { ca: 'ca.pem' })
    expect(error.code).to.equal('auth.refused')
    expect(relayed(), 'the handshake went through the relay').to.be.above(100)
    const [reported] = (await refused) as [{ error: RystraError }]
    expect(reported.error.code).to.equal('auth.refused')
    expect(server.sessions).to.have.length(0)
    // It is the relay and nothing else: without it, all is well.
    await join(portOf(server), { ca: 'ca.pem' }, await startService(echo))
  })

  for (const transport of ['tcp', 'tls']) {
    for (const muxer of ['yamux', 'direct']) {
      it(`never sends the token, nor what stands for it, over ${transport} with ${muxer}`, async () => {
        const server =
          transport === 'tcp' ? await startServer({}, [], { preset }) : await serve(pair('server', made.server))
        const hop = await recorder(portOf(server))
        const dial = transport === 'tcp' ? { transport } : { ca: 'ca.pem' }
        const client = await join(hop.port, dial, await startService(echo), muxer)
        const visitor = await visit(visitorPort(client, 'echo'))
        visitor.write('a sign of life')
        expect(String((await once(visitor, 'data'))[0])).to.equal('a sign of life')
        const seen = hop.seen()
        expect(seen.length).to.be.above(300)
        expect(seen.includes('a sign of life'), 'the recorder sees what is not encrypted').to.equal(transport === 'tcp')
        const bytes = Buffer.from(token)
        const digests = ['sha1', 'sha256', 'sha384', 'sha512', 'md5'].map((name) =>
          createHash(name).update(bytes).digest()
        )
        for (const secret of [bytes, ...digests]) {
          for (const form of [
            secret,
            secret.toString('hex'),
            secret.toString('base64').replace(/=+$/, ''),
            secret.toString('base64url')
          ]) {
            expect(seen.includes(form), String(form)).to.equal(false)
          }
        }
        // Nor half of it.
        expect(seen.includes(token.slice(0, 12))).to.equal(false)
      })
    }
  }

  it('refuses a data link for a session of another peer', async () => {
    const server = await serve(pair('server', made.server))
    const client = await join(portOf(server), { ca: 'ca.pem' }, await startService(echo), 'direct')
    const [session] = server.sessions
    const attacker = tls.connect({ port: portOf(server), ca: made.ca.cert, ALPNProtocols: ['rystra/1'] })
    attacker.on('error', () => {})
    later(() => attacker.destroy())
    await once(attacker, 'secureConnect')
    const refused = once(server, 'refused')
    attacker.write(dataLinkOpening(randomBytes(32), session?.id ?? '', 0))
    const [reported] = (await refused) as [{ error: RystraError }]
    expect(reported.error.code).to.equal('auth.refused')
    const visitor = await visit(visitorPort(client, 'echo'))
    visitor.write('hi')
    expect(String((await once(visitor, 'data'))[0])).to.equal('hi')
  })
})
