import type { Client } from '@rystra/client'
import type { RystraError } from '@rystra/model'
import { defineExtension, type StreamInfo } from '@rystra/plugin'
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type net from 'node:net'
import { type Carrier, carriers, db, join, listening, make, serve, toDb, wayIn } from './private-tunnel.js'
import { cleanUp, echo, endOf, knock, otherToken, readAll, startServer, startService, until, visit } from './tunnel.js'

const ask = async (client: Client, text: string): Promise<string> => {
  const socket = await visit(wayIn(client))
  socket.end(text)
  return String(await readAll(socket))
}

/** What becomes of one who comes to a way in, and what its client says of it. */
const refused = async (client: Client): Promise<{ end: string; code: string; message: string }> => {
  const told = once(client, 'refused') as Promise<[{ error: RystraError }]>
  const end = await knock(wayIn(client))
  const [{ error }] = await told
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
      const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()] })
      const bytes = randomBytes(3_000_000)
      const socket = await visit(wayIn(guest))
      const back = readAll(socket)
      socket.end(bytes)
      expect((await back).equals(bytes)).to.equal(true)
    })

    it('lets a service speak first, and answer long after the visitor has ended', async () => {
      const server = await serve(carrier)
      let finish = (): void => {}
      const service = await startService((socket) => {
        socket.write('welcome')
        socket.once('end', () => {
          finish = () => socket.end('at last')
        })
        socket.resume()
      })
      await join(carrier, server, { id: 'owner', proxies: [db(service)] })
      const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()] })
      const socket = await visit(wayIn(guest))
      const [first] = await once(socket, 'data')
      expect(String(first)).to.equal('welcome')
      const all = readAll(socket)
      socket.end('done')
      await until(() => finish.name === 'finish')
      const other = await visit(wayIn(guest))
      await once(other, 'data')
      expect(socket.readableEnded).to.equal(false)
      finish()
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
      const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()] })
      const one = await visit(wayIn(guest))
      await once(one, 'data')
      const end = endOf(one)
      services[0]?.resetAndDestroy()
      expect(await end).to.equal('ECONNRESET')
      const two = await visit(wayIn(guest))
      await once(two, 'data')
      const seen = endOf(services[1] as net.Socket)
      two.resetAndDestroy()
      expect(await seen).to.equal('ECONNRESET')
      await until(() => server.streams === 0 && guest.streams === 0)
    })

    it('takes 500 visits at once, each of which gets its own answer', async function () {
      this.timeout(60_000)
      const server = await serve(carrier)
      await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo))] })
      const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()] })
      const words = Array.from({ length: 500 }, (_, number) => `number ${number}`)
      expect(await Promise.all(words.map((word) => ask(guest, word)))).to.deep.equal(words)
      await until(() => server.streams === 0 && guest.streams === 0)
    })

    it('counts a visit at the visiting client, at the server twice, and at the owner', async () => {
      const server = await serve(carrier)
      const owner = await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo))] })
      const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()] })
      const socket = await visit(wayIn(guest))
      socket.write('x')
      await once(socket, 'data')
      expect([guest.streams, server.streams, owner.streams]).to.deep.equal([1, 2, 1])
      socket.destroy()
      await until(() => server.streams === 0 && guest.streams === 0 && owner.streams === 0)
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
      const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()], more: [watcher('guest')] })
      expect(await ask(guest, 'hello')).to.equal('hello')
      expect(seen.map(([place]) => place)).to.deep.equal(['guest', 'server', 'owner'])
      for (const [, { proxy, visitor }] of seen) {
        expect(proxy).to.include({ name: 'db', kind: 'private' })
        expect(visitor.host).to.equal('127.0.0.1')
        expect(visitor.to.port).to.equal(wayIn(guest))
      }
      expect(seen[1]?.[1].visitor.through?.client.id).to.equal('guest')
      // What the server knows of the owner's entry.
      expect(seen[1]?.[1].proxy).to.not.have.any.keys('secret', 'local')
      for (const place of ['guest', 'server', 'owner']) {
        closed = place
        const { end, code, message } = await refused(guest)
        expect(end).to.equal('ECONNRESET')
        expect(code).to.equal('stream.refused')
        expect(message).to.include(`closed at the ${place}`)
      }
      closed = ''
      expect(await ask(guest, 'open again')).to.equal('open again')
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
      const guests = await Promise.all([
        join(carrier, server, { id: 'wrong', forwards: [toDb({ secret: 'another secret of some length' })] }),
        join(carrier, server, { id: 'none', forwards: [toDb({ secret: undefined })] }),
        join(carrier, server, { id: 'other', forwards: [toDb()], token: otherToken })
      ])
      const nobody = await join(carrier, server, { id: 'nobody', forwards: [toDb({ of: 'dc' })] })
      const outcomes = await Promise.all(guests.map(refused))
      for (const outcome of outcomes) expect(outcome).to.deep.equal(outcomes[0])
      expect(outcomes[0]).to.include({ end: 'ECONNRESET', code: 'stream.no-visits' })
      const unknown = await refused(nobody)
      expect(unknown.message.replace('dc', 'db')).to.equal(outcomes[0]?.message)
      const has = (lines: string[], text: string): boolean => lines.some((line) => line.includes(text))
      expect(has(said.owner.lines, 'wrong secret'), 'wrong secret').to.equal(true)
      expect(has(said.owner.lines, 'no proof'), 'no proof').to.equal(true)
      expect(has(said.server.lines, 'the identity is not allowed'), 'not allowed').to.equal(true)
      for (const { lines } of Object.values(said)) {
        expect(has(lines, 'a secret of some length'), 'a secret in a log').to.equal(false)
      }
      const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()] })
      expect(await ask(guest, 'unharmed')).to.equal('unharmed')
    })

    it('says that the service is absent, and goes on when it is there', async () => {
      const server = await serve(carrier)
      const port = await startService(echo)
      await join(carrier, server, {
        id: 'owner',
        proxies: [db('unix:/nonexistent/socket'), { ...db(port), name: 'there' }]
      })
      const guest = await join(carrier, server, {
        id: 'guest',
        forwards: [toDb(), toDb({ name: 'other', of: 'there' })]
      })
      expect(await refused(guest)).to.include({ end: 'ECONNRESET', code: 'stream.service-unreachable' })
      const socket = await visit(wayIn(guest, 'other'))
      socket.end('here')
      expect(String(await readAll(socket))).to.equal('here')
    })

    it('resets what is open when the owner goes, and is there again with it', async () => {
      const server = await serve(carrier)
      const service = await startService(echo)
      const owner = await join(carrier, server, { id: 'owner', proxies: [db(service)] })
      const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()] })
      const socket = await visit(wayIn(guest))
      socket.write('x')
      await once(socket, 'data')
      const end = endOf(socket)
      await owner.stop({ drain: 0 })
      expect(await end).to.equal('ECONNRESET')
      await until(() => server.proxies.length === 0)
      expect(await refused(guest)).to.include({ code: 'stream.no-visits' })
      await join(carrier, server, { id: 'owner', proxies: [db(service)] })
      expect(await ask(guest, 'back')).to.equal('back')
    })

    it('has visitors wait for a session that is to come', async () => {
      const server = await serve(carrier)
      await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo))] })
      const guest = await make(carrier, server, { id: 'guest', forwards: [toDb()] })
      let answer: Promise<string> | undefined
      // The way in is open before there is a session.
      guest.once('visiting', () => {
        expect(guest.session).to.equal(undefined)
        answer = new Promise((resolve) => setImmediate(() => resolve(ask(guest, 'early'))))
      })
      await guest.start()
      expect(await answer).to.equal('early')
    })

    it('keeps to maxConnections of the owner, and tells those that are too many', async () => {
      const server = await serve(carrier)
      const service = await startService(echo)
      await join(carrier, server, { id: 'owner', proxies: [db(service, { maxConnections: 2 })] })
      const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()] })
      const sockets = await Promise.all([visit(wayIn(guest)), visit(wayIn(guest))])
      for (const socket of sockets) {
        socket.write('x')
        await once(socket, 'data')
      }
      expect(await refused(guest)).to.include({ end: 'ECONNRESET', code: 'stream.limit' })
      sockets[0]?.destroy()
      await until(() => server.streams === 2)
      expect(await ask(guest, 'room')).to.equal('room')
    })

    it('keeps a client to the streams of one session, whoever opens them', async () => {
      const server = await serve(carrier, { limits: { streamsPerSession: 5 } })
      const service = await startService(echo)
      for (const id of ['one', 'two']) await join(carrier, server, { id, proxies: [{ ...db(service), name: id }] })
      const guest = await join(carrier, server, {
        id: 'guest',
        forwards: [toDb({ of: 'one' }), toDb({ name: 'two', of: 'two' })]
      })
      for (const [name, count] of [
        ['way', 3],
        ['two', 2]
      ] as const) {
        for (let turn = 0; turn < count; turn += 1) {
          const socket = await visit(wayIn(guest, name))
          socket.write('x')
          await once(socket, 'data')
        }
      }
      expect(await refused(guest)).to.include({ end: 'ECONNRESET', code: 'stream.limit' })
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
    const guest = await join(carrier, server, { id: 'guest', forwards: [toDb()] })
    const socket = await visit(wayIn(guest))
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
