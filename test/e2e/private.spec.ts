import type { Client } from '@rystra/client'
import type { RystraError } from '@rystra/model'
import { defineExtension, type StreamInfo } from '@rystra/plugin'
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type net from 'node:net'
import { type Carrier, carriers, db, join, listening, make, serve, toDb, wayIn } from './private-tunnel.js'
import {
  cleanUp,
  echo,
  endOf,
  endOfVisit,
  otherToken,
  readAll,
  startServer,
  startService,
  until,
  visit
} from './tunnel.js'

const ask = async (client: Client, text: string): Promise<string> => {
  const socket = await visit(wayIn(client))
  socket.end(text)
  return String(await readAll(socket))
}

/** How a visit of a forward ends, and the refusal that its client reports. */
const refused = async (client: Client): Promise<{ end: string; code: string; message: string }> => {
  const refusal = once(client, 'refused') as Promise<[{ error: RystraError }]>
  const end = await endOfVisit(wayIn(client))
  const [{ error }] = await refusal
  return { end, code: error.code, message: error.message }
}

for (const [index, { title }] of carriers().entries()) {
  describe(`a private proxy over ${title}`, () => {
    let carrier: ReturnType<typeof carriers>[number]

    beforeEach(() => {
      carrier = carriers()[index] as typeof carrier
    })

    afterEach(cleanUp)

    it('carries bytes both ways, and ends as ends', async () => {
      const server = await serve(carrier)
      await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo))] })
      const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
      const bytes = randomBytes(3_000_000)
      const socket = await visit(wayIn(forwarder))
      const back = readAll(socket)
      socket.end(bytes)
      expect((await back).equals(bytes)).to.equal(true)
    })

    it('lets a service speak first, and answer long after the visitor has ended', async () => {
      const server = await serve(carrier)
      const ended: net.Socket[] = []
      const service = await startService((socket) => {
        socket.write('welcome')
        socket.once('end', () => ended.push(socket))
        socket.resume()
      })
      await join(carrier, server, { id: 'owner', proxies: [db(service)] })
      const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
      const socket = await visit(wayIn(forwarder))
      const [first] = await once(socket, 'data')
      expect(String(first)).to.equal('welcome')
      const all = readAll(socket)
      socket.end('done')
      await until(() => ended.length === 1, 'the end to arrive')
      const other = await visit(wayIn(forwarder))
      await once(other, 'data')
      expect(socket.readableEnded).to.equal(false)
      ended[0]?.end('at last')
      expect(String(await all)).to.equal('at last')
    })

    it('shows a reset as a reset, both ways', async () => {
      const server = await serve(carrier)
      const services: net.Socket[] = []
      const service = await startService((socket) => {
        services.push(socket)
        socket.write('x')
      })
      await join(carrier, server, { id: 'owner', proxies: [db(service)] })
      const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
      const one = await visit(wayIn(forwarder))
      await once(one, 'data')
      const end = endOf(one)
      services[0]?.resetAndDestroy()
      expect(await end).to.equal('ECONNRESET')
      const two = await visit(wayIn(forwarder))
      await once(two, 'data')
      const seen = endOf(services[1] as net.Socket)
      two.resetAndDestroy()
      expect(await seen).to.equal('ECONNRESET')
      await until(() => server.streams === 0 && forwarder.streams === 0)
    })

    it('takes 200 visits at once, each of which gets its own answer', async () => {
      const server = await serve(carrier)
      await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo))] })
      const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
      const words = Array.from({ length: 200 }, (_, number) => `number ${number}`)
      expect(await Promise.all(words.map((word) => ask(forwarder, word)))).to.deep.equal(words)
      await until(() => server.streams === 0 && forwarder.streams === 0)
    })

    it('counts a visit at the visiting client, at the server twice, and at the owner', async () => {
      const server = await serve(carrier)
      const owner = await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo))] })
      const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
      const socket = await visit(wayIn(forwarder))
      socket.write('x')
      await once(socket, 'data')
      expect([forwarder.streams, server.streams, owner.streams]).to.deep.equal([1, 2, 1])
      socket.destroy()
      await until(() => server.streams === 0 && forwarder.streams === 0 && owner.streams === 0)
    })

    it('asks onOpenStream at all three ends, and each of them can refuse', async () => {
      const seen: [string, StreamInfo][] = []
      let closed = ''
      const watcher = (place: string) =>
        defineExtension({
          name: 'watcher',
          setup: ({ hooks }) => {
            hooks.onOpenStream.tap((stream) => {
              seen.push([place, stream])
              return closed === place ? { deny: `closed at the ${place}` } : undefined
            })
          }
        })() as never
      const server = await serve(carrier, {}, [watcher('server')])
      await join(carrier, server, {
        id: 'owner',
        proxies: [db(await startService(echo))],
        more: [watcher('owner')]
      })
      const forwarder = await join(carrier, server, {
        id: 'forwarder',
        forwards: [toDb()],
        more: [watcher('forwarder')]
      })
      expect(await ask(forwarder, 'hello')).to.equal('hello')
      expect(seen.map(([place]) => place)).to.deep.equal(['forwarder', 'server', 'owner'])
      for (const [, { proxy, visitor }] of seen) {
        expect(proxy).to.include({ name: 'db', kind: 'private' })
        expect(visitor.host).to.equal('127.0.0.1')
        expect(visitor.to.port).to.equal(wayIn(forwarder))
      }
      expect(seen[1]?.[1].visitor.through?.client.id).to.equal('forwarder')
      // What the server knows of the owner's entry.
      expect(seen[1]?.[1].proxy).to.not.have.any.keys('secret', 'local')
      for (const place of ['forwarder', 'server', 'owner']) {
        closed = place
        const { end, code, message } = await refused(forwarder)
        expect(end).to.equal('ECONNRESET')
        expect(code).to.equal('stream.refused')
        expect(message).to.include(`closed at the ${place}`)
      }
      closed = ''
      expect(await ask(forwarder, 'open again')).to.equal('open again')
    })

    it('refuses a wrong secret, an unknown name and another identity in one way; the logs say which', async () => {
      const said = { server: listening(), owner: listening() }
      const server = await startServer(
        { listen: [{ transport: carrier.connect.transport, host: '127.0.0.1', port: 0 }] },
        carrier.uses,
        { log: said.server.log }
      )
      const service = await startService(echo)
      await join(carrier, server, { id: 'owner', proxies: [db(service)], log: said.owner.log })
      const forwarders = await Promise.all([
        join(carrier, server, { id: 'wrong', forwards: [toDb({ secret: 'another secret of some length' })] }),
        join(carrier, server, { id: 'none', forwards: [toDb({ secret: undefined })] }),
        join(carrier, server, { id: 'other', forwards: [toDb()], token: otherToken })
      ])
      const unaware = await join(carrier, server, { id: 'unaware', forwards: [toDb({ of: 'dc' })] })
      const outcomes = await Promise.all(forwarders.map(refused))
      for (const outcome of outcomes) expect(outcome).to.deep.equal(outcomes[0])
      expect(outcomes[0]).to.include({ end: 'ECONNRESET', code: 'stream.no-visits' })
      const unknown = await refused(unaware)
      expect(unknown.message.replace('dc', 'db')).to.equal(outcomes[0]?.message)
      const has = (lines: string[], text: string): boolean => lines.some((line) => line.includes(text))
      expect(has(said.owner.lines, 'wrong secret'), 'wrong secret').to.equal(true)
      expect(has(said.owner.lines, 'no proof'), 'no proof').to.equal(true)
      expect(has(said.server.lines, 'the identity is not allowed'), 'not allowed').to.equal(true)
      for (const { lines } of Object.values(said)) {
        expect(has(lines, 'a secret of some length'), 'a secret in a log').to.equal(false)
      }
      const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
      expect(await ask(forwarder, 'unharmed')).to.equal('unharmed')
    })

    it('says that the service is absent, and goes on when it is there', async () => {
      const server = await serve(carrier)
      const port = await startService(echo)
      await join(carrier, server, {
        id: 'owner',
        proxies: [db('unix:/nonexistent/socket'), { ...db(port), name: 'there' }]
      })
      const forwarder = await join(carrier, server, {
        id: 'forwarder',
        forwards: [toDb(), toDb({ name: 'other', of: 'there' })]
      })
      expect(await refused(forwarder)).to.include({ end: 'ECONNRESET', code: 'stream.service-unreachable' })
      const socket = await visit(wayIn(forwarder, 'other'))
      socket.end('here')
      expect(String(await readAll(socket))).to.equal('here')
    })

    it('resets what is open when the owner goes, and is there again with it', async () => {
      const server = await serve(carrier)
      const service = await startService(echo)
      const owner = await join(carrier, server, { id: 'owner', proxies: [db(service)] })
      const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
      const socket = await visit(wayIn(forwarder))
      socket.write('x')
      await once(socket, 'data')
      const end = endOf(socket)
      await owner.stop({ drain: 0 })
      expect(await end).to.equal('ECONNRESET')
      await until(() => server.proxies.length === 0)
      expect(await refused(forwarder)).to.include({ code: 'stream.no-visits' })
      await join(carrier, server, { id: 'owner', proxies: [db(service)] })
      expect(await ask(forwarder, 'back')).to.equal('back')
    })

    it('has visitors wait for a session that is to come', async () => {
      const server = await serve(carrier)
      await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo))] })
      const forwarder = await make(carrier, server, { id: 'forwarder', forwards: [toDb()] })
      let answer: Promise<string> | undefined
      // The way in is open before there is a session.
      forwarder.once('visiting', () => {
        expect(forwarder.session).to.equal(undefined)
        answer = new Promise((resolve) => setImmediate(() => resolve(ask(forwarder, 'early'))))
      })
      await forwarder.start()
      expect(await answer).to.equal('early')
    })

    it('keeps to maxConnections of the owner, and tells those that are too many', async () => {
      const server = await serve(carrier)
      const service = await startService(echo)
      await join(carrier, server, { id: 'owner', proxies: [db(service, { maxConnections: 2 })] })
      const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
      const sockets = await Promise.all([visit(wayIn(forwarder)), visit(wayIn(forwarder))])
      for (const socket of sockets) {
        socket.write('x')
        await once(socket, 'data')
      }
      expect(await refused(forwarder)).to.include({ end: 'ECONNRESET', code: 'stream.limit' })
      sockets[0]?.destroy()
      await until(() => server.streams === 2)
      expect(await ask(forwarder, 'room')).to.equal('room')
    })

    it('keeps a client to the streams of one session, whichever end opens them', async () => {
      const server = await serve(carrier, { limits: { streamsPerSession: 5 } })
      const service = await startService(echo)
      for (const id of ['one', 'two']) await join(carrier, server, { id, proxies: [{ ...db(service), name: id }] })
      const forwarder = await join(carrier, server, {
        id: 'forwarder',
        forwards: [toDb({ of: 'one' }), toDb({ name: 'two', of: 'two' })]
      })
      for (const [name, count] of [
        ['way', 3],
        ['two', 2]
      ] as const) {
        for (let turn = 0; turn < count; turn += 1) {
          const socket = await visit(wayIn(forwarder, name))
          socket.write('x')
          await once(socket, 'data')
        }
      }
      expect(await refused(forwarder)).to.include({ end: 'ECONNRESET', code: 'stream.limit' })
    })
  })
}

describe('the limits of a private proxy', () => {
  afterEach(cleanUp)

  it('slows down by the bandwidth of the owner, and resets what is idle for too long', async () => {
    const [carrier] = carriers() as [Carrier]
    const server = await serve(carrier)
    const service = await startService(echo)
    await join(carrier, server, {
      id: 'owner',
      proxies: [db(service, { bandwidth: 200_000, idleTimeout: '1s' })]
    })
    const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
    const socket = await visit(wayIn(forwarder))
    const since = performance.now()
    socket.write(Buffer.alloc(150_000))
    let bytes = 0
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    await until(() => bytes === 150_000)
    // 64 KiB at once, the rest at the rate: never faster, however slow this machine is.
    expect(performance.now() - since).to.be.above(300)
    expect(await endOf(socket)).to.equal('ECONNRESET')
  })
})
