import type { Client } from '@rystra/client'
import type { Server } from '@rystra/server'
import transportHttp2 from '@rystra/transport-http2'
import { expect } from 'chai'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { cuttable } from './cuttable.js'
import {
  cleanUp,
  echo,
  endOf,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const MiB = 1024 * 1024

/** A server that listens with a transport, and a client of it that publishes a service. */
const tunnel = async (
  transport: string,
  service: (socket: Socket) => void | Promise<void>,
  options: Parameters<typeof transportHttp2>[0] = {}
): Promise<{ server: Server; client: Client; port: number; cut: () => void }> => {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'rystra-http2-'))
  later(() => rmSync(stateDir, { recursive: true, force: true }))
  const listen = [{ transport, host: '127.0.0.1', port: 0 }]
  const server = await startServer({ listen }, [transportHttp2(options)], { stateDir })
  const [listening] = server.listening
  const hop = await cuttable(portOf(server))
  const connect = { transport, host: '127.0.0.1', port: hop.port, ...listening?.join }
  const proxies = [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(service)}` }]
  const client = await startClient(portOf(server), proxies, { connect }, [transportHttp2(options)])
  return { server, client, port: visitorPort(client, 'svc'), cut: hop.cut }
}

for (const transport of ['h2c', 'http2']) {
  describe(`a tunnel over ${transport}`, () => {
    afterEach(cleanUp)

    it('carries bytes both ways without a muxer, and tells of TLS where there is some', async () => {
      const { client, port } = await tunnel(transport, echo)
      expect(client.session).to.include({ transport, muxer: 'native' })
      expect(client.session?.peer.tls?.alpn).to.equal(transport === 'http2' ? 'h2' : undefined)
      const visitor = await visit(port)
      const sent = Buffer.alloc(5 * MiB, 'there and back ')
      const came = readAll(visitor)
      visitor.end(sent)
      expect((await came).equals(sent)).to.equal(true)
    })

    it('lets a service answer after its visitor has ended', async () => {
      const { port } = await tunnel(transport, async (socket) => {
        const request = await readAll(socket)
        socket.end(`${request} ${request.length}`)
      })
      const visitor = await visit(port)
      visitor.end('a question')
      expect(String(await readAll(visitor))).to.equal('a question 10')
    })

    it('carries a reset both ways as a reset', async () => {
      const sockets: Socket[] = []
      const { port } = await tunnel(transport, (socket) => void sockets.push(socket))
      const first = await visit(port)
      first.write('x')
      await until(() => sockets.length === 1)
      const atService = endOf(sockets[0] as Socket)
      first.resetAndDestroy()
      expect(await atService).to.equal('ECONNRESET')
      const second = await visit(port)
      second.write('x')
      await until(() => sockets.length === 2)
      const atVisitor = endOf(second)
      sockets[1]?.resetAndDestroy()
      expect(await atVisitor).to.equal('ECONNRESET')
    })

    it('carries 500 visitors at once', async () => {
      const { client, port } = await tunnel(transport, echo)
      const answers = await Promise.all(
        Array.from({ length: 500 }, async (_, index) => {
          const visitor = await visit(port)
          const answer = readAll(visitor)
          visitor.end(`visitor ${index}`)
          return String(await answer)
        })
      )
      expect(answers).to.deep.equal(Array.from({ length: 500 }, (_, index) => `visitor ${index}`))
      await until(() => client.streams === 0)
    })

    it('holds a service back whose visitor does not read, and no other', async () => {
      const window = MiB
      let sent = 0
      const flood = (socket: Socket): void => {
        const more = (): void => {
          while (sent < 256 * MiB) {
            sent += 64 * 1024
            if (!socket.write(Buffer.alloc(64 * 1024))) return void socket.once('drain', more)
          }
        }
        socket.once('data', (first) => (String(first) === 'flood' ? more() : socket.end(first)))
      }
      const { port } = await tunnel(transport, flood, { window })
      const slow = await visit(port)
      slow.pause()
      slow.write('flood')
      let before = -1
      while (sent !== before) {
        before = sent
        const other = await visit(port)
        other.write('hello')
        expect(String(await readAll(other))).to.equal('hello')
      }
      expect(sent).to.be.below(64 * MiB)
    })

    it('comes back after its connection was lost', async () => {
      const { server, client, port, cut } = await tunnel(transport, echo)
      const before = client.session?.id
      const again = once(server, 'connected')
      cut()
      await again
      await until(() => client.session !== undefined && client.session.id !== before && client.proxies.length === 1)
      const visitor = await visit(port)
      visitor.end('back')
      expect(String(await readAll(visitor))).to.equal('back')
    })
  })
}
