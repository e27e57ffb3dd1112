import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import net from 'node:net'
import { settled } from '@rystra/testkit'
import { expect } from 'chai'
import {
  cleanUp,
  echo,
  endOf,
  endOfVisit,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  visit,
  visitorPort
} from './tunnel.js'

for (const muxer of ['yamux', 'direct']) {
  describe(`a stream through ${muxer}`, () => {
    afterEach(cleanUp)

    const tunnelTo = async (service: number, server = {}): Promise<number> => {
      const made = await startServer(server)
      const client = await startClient(portOf(made), [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${service}` }], {
        muxer
      })
      return visitorPort(client, 'svc')
    }

    it('carries bytes both ways, whole and in order', async () => {
      const port = await tunnelTo(await startService(echo))
      const sent = randomBytes(8 * 1024 * 1024)
      const socket = await visit(port)
      socket.end(sent)
      const got = await readAll(socket)
      expect(createHash('sha256').update(got).digest('hex')).to.equal(createHash('sha256').update(sent).digest('hex'))
    })

    it('carries many visitors at once without mixing them up', async () => {
      const port = await tunnelTo(await startService(echo))
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const socket = await visit(port)
          socket.end(`visitor ${index} `.repeat(1000))
          return (await readAll(socket)).toString()
        })
      )
      for (const [index, answer] of answers.entries()) expect(answer).to.equal(`visitor ${index} `.repeat(1000))
    })

    it('carries a half-close, and the answer that comes after it', async () => {
      const answer = randomBytes(1024 * 1024)
      const service = await startService((socket) => {
        let request = ''
        socket.on('data', (chunk) => {
          request += chunk.toString()
        })
        socket.on('end', () => setImmediate(() => socket.end(request === 'question' ? answer : 'wrong')))
      })
      const socket = await visit(await tunnelTo(service))
      socket.end('question')
      expect((await readAll(socket)).equals(answer)).to.equal(true)
    })

    it("carries the service's half-close, and what the visitor sends after it", async () => {
      let heard = ''
      let ended: (value: unknown) => void = () => {}
      const done = new Promise((resolve) => {
        ended = resolve
      })
      const service = await startService((socket) => {
        socket.end('hello')
        socket.on('data', (chunk) => {
          heard += chunk.toString()
        })
        socket.on('end', ended)
      })
      const socket = await visit(await tunnelTo(service))
      expect((await readAll(socket)).toString()).to.equal('hello')
      socket.end('and goodbye')
      await done
      expect(heard).to.equal('and goodbye')
    })

    it("carries the visitor's reset to the service as a reset", async () => {
      let ended: Promise<string> | undefined
      const service = await startService((socket) => {
        ended = endOf(socket)
        socket.write('ready')
      })
      const socket = await visit(await tunnelTo(service))
      await once(socket, 'data')
      socket.resetAndDestroy()
      expect(await ended).to.equal('ECONNRESET')
    })

    it("carries the service's reset to the visitor as a reset", async () => {
      const service = await startService((socket) => socket.once('data', () => socket.resetAndDestroy()))
      const socket = await visit(await tunnelTo(service))
      const ended = endOf(socket)
      socket.write('now')
      expect(await ended).to.equal('ECONNRESET')
    })

    it('slows a fast writer down to a reader that does not read', async () => {
      const service = await startService((socket) => {
        socket.pause()
      })
      const socket = await visit(await tunnelTo(service))
      const chunk = Buffer.alloc(256 * 1024)
      let sent = 0
      const fill = (): void => {
        while (socket.writableLength < chunk.length && sent < 512 * 1024 * 1024) {
          socket.write(chunk)
          sent += chunk.length
        }
      }
      socket.on('drain', fill)
      fill()
      // The kernel's buffers, the window and one slab are full.
      await settled(() => socket.bytesWritten - socket.writableLength)
      expect(sent).to.be.lessThan(128 * 1024 * 1024)
    })

    it('does not let one visitor who never reads hold up another', async () => {
      const service = await startService((socket) => {
        socket.once('data', (request) => {
          if (request.toString() === 'flood') socket.write(Buffer.alloc(64 * 1024 * 1024))
          else socket.end('quick')
        })
      })
      const port = await tunnelTo(service)
      const stalled = await visit(port)
      stalled.write('flood')
      await once(stalled, 'readable')
      const other = await visit(port)
      other.end('hi')
      expect((await readAll(other)).toString()).to.equal('quick')
    })

    it('reaches a service on a unix socket', async () => {
      const dir = mkdtempSync(join(tmpdir(), 'rystra-'))
      later(() => rmSync(dir, { recursive: true, force: true }))
      const path = join(dir, 'service.sock')
      await startService(echo, path)
      const server = await startServer()
      const client = await startClient(portOf(server), [{ name: 'unix', kind: 'tcp', local: `unix:${path}` }], {
        muxer
      })
      const socket = await visit(visitorPort(client, 'unix'))
      socket.end('over a path')
      expect((await readAll(socket)).toString()).to.equal('over a path')
    })

    it('resets the visitor of a service that is not there, and says why on both ends', async () => {
      const free = net.createServer().listen(0, '127.0.0.1')
      await once(free, 'listening')
      const { port } = free.address() as net.AddressInfo
      await new Promise((resolve) => free.close(resolve))
      const server = await startServer()
      const client = await startClient(portOf(server), [{ name: 'gone', kind: 'tcp', local: `127.0.0.1:${port}` }], {
        muxer
      })
      const atClient = once(client, 'refused')
      const atServer = once(server, 'refused')
      expect(await endOfVisit(visitorPort(client, 'gone'))).to.equal('ECONNRESET')
      const [here] = await atClient
      const [there] = await atServer
      expect(here).to.deep.include({ what: 'stream', name: 'gone' })
      expect(here.error.code).to.equal('stream.service-unreachable')
      expect(there.error.code).to.equal('stream.service-unreachable')
      expect(there.error.message).to.include('client:').and.not.include(String(port))
    })

    it('waits for a service that comes up within the tries', async () => {
      const free = net.createServer().listen(0, '127.0.0.1')
      await once(free, 'listening')
      const { port } = free.address() as net.AddressInfo
      await new Promise((resolve) => free.close(resolve))
      const server = await startServer()
      const client = await startClient(portOf(server), [{ name: 'late', kind: 'tcp', local: `127.0.0.1:${port}` }], {
        muxer
      })
      const opened = once(client, 'streamOpen')
      const socket = await visit(visitorPort(client, 'late'))
      socket.end('early bird')
      await opened
      const service = net.createServer({ allowHalfOpen: true }, (one) => one.pipe(one))
      later(() => service.close())
      service.listen(port, '127.0.0.1')
      expect((await readAll(socket)).toString()).to.equal('early bird')
    })

    it('counts bytes each way and says how a stream ended', async () => {
      const service = await startService((socket) => {
        socket.resume()
        socket.on('end', () => socket.end('four'))
      })
      const server = await startServer()
      const client = await startClient(portOf(server), [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${service}` }], {
        muxer
      })
      const closed = Promise.all([once(server, 'streamClose'), once(client, 'streamClose')])
      const socket = await visit(visitorPort(client, 'svc'))
      const { localPort } = socket
      socket.end('seven b')
      await readAll(socket)
      for (const [context] of await closed) {
        expect(context).to.deep.include({ bytesToService: 7, bytesToVisitor: 4, reason: 'end' })
        expect(context.visitor.port).to.equal(localPort)
      }
    })

    it('resets open streams on both ends when the link is cut', async () => {
      let ended: Promise<string> | undefined
      const service = await startService((socket) => {
        ended = endOf(socket)
        socket.write('up')
      })
      const server = await startServer()
      const client = await startClient(portOf(server), [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${service}` }], {
        muxer
      })
      const socket = await visit(visitorPort(client, 'svc'))
      await once(socket, 'data')
      const visitorEnd = endOf(socket)
      await client.stop({ drain: 0 })
      expect(await visitorEnd).to.equal('ECONNRESET')
      expect(await ended).to.equal('ECONNRESET')
    })
  })
}

describe('the PROXY protocol', () => {
  afterEach(cleanUp)

  for (const version of ['v1', 'v2'] as const) {
    it(`${version} tells the service who the visitor is`, async () => {
      const service = await startService((socket) => {
        socket.pipe(socket)
      })
      const server = await startServer()
      const client = await startClient(portOf(server), [
        { name: 'svc', kind: 'tcp', local: `127.0.0.1:${service}`, proxyProtocol: version }
      ])
      const port = visitorPort(client, 'svc')
      const socket = await visit(port)
      const from = socket.localPort ?? 0
      socket.end('body')
      const got = await readAll(socket)
      if (version === 'v1') expect(got.toString()).to.equal(`PROXY TCP4 127.0.0.1 127.0.0.1 ${from} ${port}\r\nbody`)
      else {
        expect(got.subarray(0, 16).toString('hex')).to.equal('0d0a0d0a000d0a515549540a2111000c')
        expect(got.subarray(16, 24).toString('hex')).to.equal('7f0000017f000001')
        expect([got.readUInt16BE(24), got.readUInt16BE(26)]).to.deep.equal([from, port])
        expect(got.subarray(28).toString()).to.equal('body')
      }
    })
  }
})
