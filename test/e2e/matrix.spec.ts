import { fingerprintOf, selfSigned } from '@rystra/certificates'
import type { Client } from '@rystra/client'
import type { ProxyEntry, RystraConfig } from '@rystra/config'
import type { Server } from '@rystra/server'
import { MemoryNetwork, MemoryStreamsNetwork, memoryTransport } from '@rystra/testkit'
import transportHttp2 from '@rystra/transport-http2'
import transportQuic from '@rystra/transport-quic'
import transportTls from '@rystra/transport-tls'
import transportWs from '@rystra/transport-ws'
import { expect } from 'chai'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  cleanUp,
  echo,
  endOf,
  endOfVisit,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  visit,
  visitorPort
} from './tunnel.js'

type Uses = NonNullable<RystraConfig['extensions']>

/** A transport of the matrix. */
interface Row {
  readonly transport: string
  /** What makes it, for both ends; tcp is in the preset. */
  readonly uses: () => Uses
  /** Its links are encrypted. */
  readonly secure?: true
  /** It multiplexes by itself. */
  readonly native?: true
}

const rows: readonly Row[] = [
  { transport: 'tcp', uses: () => [] },
  { transport: 'tls', uses: () => [transportTls()], secure: true },
  { transport: 'ws', uses: () => [transportWs()] },
  { transport: 'wss', uses: () => [transportWs()], secure: true },
  { transport: 'memory', uses: () => [memoryTransport(new MemoryNetwork())()] },
  { transport: 'quic', uses: () => [transportQuic()], secure: true, native: true },
  { transport: 'http2', uses: () => [transportHttp2()], secure: true, native: true },
  { transport: 'h2c', uses: () => [transportHttp2()], native: true },
  { transport: 'memory-streams', uses: () => [memoryTransport(new MemoryStreamsNetwork())()], native: true }
]

const pairs = rows.flatMap((row) => (row.native ? ['native'] : ['yamux', 'direct']).map((muxer) => ({ ...row, muxer })))

const MIB = 1_048_576
const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const dir = mkdtempSync(path.join(tmpdir(), 'rystra-matrix-'))
const [cert, key] = [path.join(dir, 'cert.pem'), path.join(dir, 'key.pem')]
let fingerprint = ''

before(async () => {
  const made = await selfSigned({ keyType: 'ec', commonName: 'matrix', names: ['127.0.0.1'] })
  writeFileSync(cert, made.cert)
  writeFileSync(key, made.key)
  fingerprint = fingerprintOf(made.cert)
})

after(() => rmSync(dir, { recursive: true, force: true }))

for (const { transport, muxer, uses, secure, native } of pairs) {
  describe(`a tunnel over ${transport} with ${muxer}`, () => {
    let server: Server
    let client: Client
    let extensions: Uses
    let connect: { transport: string; host: string; port: number; muxer?: string }
    let proxies: ProxyEntry[]
    /** The connection that came last to the service that answers when the test says so. */
    let lateRequest: Promise<[net.Socket, string]>

    const join = (): Promise<Client> => startClient(connect.port, proxies, { connect }, extensions)

    before(async () => {
      extensions = uses()
      const at = { transport, host: '127.0.0.1' }
      server = await startServer({ listen: [{ ...at, port: 0, ...(secure && { cert, key }) }] }, extensions)
      connect = { ...at, port: portOf(server), ...(native ? {} : { muxer }), ...(secure && { fingerprint }) }
      let came: (request: [net.Socket, string]) => void = () => {}
      lateRequest = new Promise((resolve) => {
        came = resolve
      })
      const services = {
        echo,
        late: (socket: net.Socket) => void readAll(socket).then((bytes) => came([socket, String(bytes)])),
        rude: (socket: net.Socket) => void socket.once('data', () => socket.resetAndDestroy())
      }
      proxies = await Promise.all(
        Object.entries(services).map(async ([name, serve]) => ({
          name,
          kind: 'tcp',
          local: `127.0.0.1:${await startService(serve)}`
        }))
      )
      client = await join()
    })

    after(cleanUp)

    it('is over this transport and this muxer', () => {
      expect(client.session).to.include({ transport, muxer })
      expect(server.sessions.map((one) => one.muxer)).to.deep.equal([muxer])
    })

    it('carries 4 MiB both ways for two visitors at once', async () => {
      const carry = async (): Promise<void> => {
        const bytes = randomBytes(4 * MIB)
        const visitor = await visit(visitorPort(client, 'echo'))
        const back = readAll(visitor)
        visitor.end(bytes)
        expect(sum(await back)).to.equal(sum(bytes))
      }
      await Promise.all([carry(), carry()])
    })

    it('lets a service answer long after the visitor has ended', async () => {
      const visitor = await visit(visitorPort(client, 'late'))
      const answer = readAll(visitor)
      visitor.end('a question')
      const [service, request] = await lateRequest
      expect(request).to.equal('a question')
      // others come and go meanwhile
      const other = await visit(visitorPort(client, 'echo'))
      other.end('x')
      expect(String(await readAll(other))).to.equal('x')
      expect(visitor.readableEnded || visitor.destroyed).to.equal(false)
      service.end('an answer')
      expect(String(await answer)).to.equal('an answer')
    })

    it('shows the visitor a service that gave up as a reset', async () => {
      const visitor = await visit(visitorPort(client, 'rude'))
      const end = endOf(visitor)
      visitor.write('x')
      expect(await end).to.equal('ECONNRESET')
    })

    it('gives a client that was started again the same port', async () => {
      const port = visitorPort(client, 'echo')
      await client.stop()
      client = await join()
      expect(visitorPort(client, 'echo')).to.equal(port)
      const visitor = await visit(port)
      visitor.end('again')
      expect(String(await readAll(visitor))).to.equal('again')
    })

    it('lets open streams finish when the server stops', async () => {
      const port = visitorPort(client, 'echo')
      const visitor = await visit(port)
      visitor.write('before')
      expect(String((await once(visitor, 'data'))[0])).to.equal('before')
      const stopped = server.stop({ drain: 8_000 })
      expect(await endOfVisit(port)).to.be.oneOf(['ECONNREFUSED', 'ECONNRESET'])
      visitor.write('meanwhile')
      expect(String((await once(visitor, 'data'))[0])).to.equal('meanwhile')
      const end = once(visitor, 'end')
      visitor.end()
      await end
      await stopped
      expect(server.sessions).to.deep.equal([])
    })
  })
}
