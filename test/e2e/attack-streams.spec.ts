import { once } from 'node:events'
import net from 'node:net'
import { Transform } from 'node:stream'
import { rawOf } from '@rystra/bytes'
import { defineExtension, Type } from '@rystra/plugin'
import { dataLinkOpening, encode } from '@rystra/protocol'
import { expect } from 'chai'
import { rogueClient, rogueServer } from './rogue.js'
import {
  ask,
  cleanUp,
  echo,
  endOfVisit,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  turns,
  until,
  visit,
  visitorPort
} from './tunnel.js'

/** How a connection ends. Node's own events show a reset as an end when bytes come right before it. */
const endOf = (socket: net.Socket): Promise<string> => {
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    const read = (): void => {
      const raw = rawOf(socket)
      raw.onClose = () => resolve('ECONNRESET')
      raw.read({ onBytes: () => true, onEnd: () => resolve('end') })
    }
    if (socket.connecting) socket.once('connect', read)
    else read()
  })
}

/** Visitors at once: the backlog of a listener is 511. */
const COUNT = 600

describe('streams that fail', () => {
  afterEach(cleanUp)

  for (const muxer of ['yamux', 'direct']) {
    it(`are over on both ends, whenever the visitor goes (${muxer})`, async () => {
      const server = await startServer()
      const service = await startService(echo)
      const client = await startClient(portOf(server), [{ name: 'a', kind: 'tcp', local: service }], { muxer })
      const open = { server: 0, client: 0 }
      for (const [side, end] of [
        ['server', server],
        ['client', client]
      ] as const) {
        end.on('streamOpen', () => {
          open[side] += 1
        })
        end.on('streamClose', () => {
          open[side] -= 1
        })
      }
      for (let moment = 0; moment < 40; moment += 1) {
        const socket = net.connect({ host: '127.0.0.1', port: visitorPort(client, 'a'), allowHalfOpen: true })
        socket.on('error', () => {})
        await once(socket, 'connect')
        if (moment % 4 === 1) socket.end('half')
        if (moment % 4 === 2) socket.write(Buffer.alloc(300_000))
        await turns(moment >> 2)
        if (moment % 2 === 0) socket.resetAndDestroy()
        else socket.destroy()
      }
      expect(await ask(visitorPort(client, 'a'), 'still here')).to.equal('still here')
      await until(() => open.server === 0 && open.client === 0 && server.streams === 0 && client.streams === 0)
    })

    it(`are over on both ends when the client vanishes, at whatever moment (${muxer})`, async () => {
      const server = await startServer()
      const service = await startService(echo)
      let open = 0
      server.on('streamOpen', () => {
        open += 1
      })
      server.on('streamClose', () => {
        open -= 1
      })
      for (let moment = 0; moment < 10; moment += 1) {
        const client = await startClient(portOf(server), [{ name: 'a', kind: 'tcp', local: service }], {
          muxer,
          id: `c${moment}`
        })
        const ends = await Promise.all(
          Array.from({ length: 5 }, async () => {
            const socket = net.connect({ host: '127.0.0.1', port: visitorPort(client, 'a'), allowHalfOpen: true })
            later(() => socket.destroy())
            const end = endOf(socket)
            await once(socket, 'connect')
            rawOf(socket).write(Buffer.alloc(100_000), 0, 100_000, false)
            return { end }
          })
        )
        await turns(moment)
        await client.stop({ drain: 0 })
        for (const { end } of ends) expect(await end).to.equal('ECONNRESET')
      }
      await until(() => open === 0)
    })

    it(`of a service that accepts and closes at once end as they should (${muxer})`, async () => {
      const server = await startServer()
      const service = await startService((socket) => socket.end())
      const client = await startClient(portOf(server), [{ name: 'a', kind: 'tcp', local: service }], { muxer })
      for (let round = 0; round < 10; round += 1) {
        const socket = await visit(visitorPort(client, 'a'))
        const all = readAll(socket)
        socket.end('unread')
        expect(await all).to.have.length(0)
      }
      await until(() => server.streams === 0 && client.streams === 0)
    })

    it(`do not count against the limit once they are over, and the limit holds for those that come at once (${muxer})`, async () => {
      const server = await startServer({ limits: { streamsPerSession: 10 } })
      const service = await startService(echo)
      const client = await startClient(portOf(server), [{ name: 'a', kind: 'tcp', local: service }], { muxer })
      let limited = 0
      server.on('refused', ({ error }) => {
        if (error.code === 'stream.limit') limited += 1
      })
      let most = 0
      server.on('streamOpen', () => {
        most = Math.max(most, server.streams)
      })
      const sockets = Array.from({ length: 60 }, () => {
        const socket = net.connect({ host: '127.0.0.1', port: visitorPort(client, 'a') })
        socket.on('error', () => {})
        socket.write('x')
        later(() => socket.destroy())
        return socket
      })
      await until(() => limited >= 50)
      expect(limited).to.equal(50)
      expect(most).to.be.at.most(10)
      for (const socket of sockets) socket.destroy()
      await until(() => server.streams === 0)
      expect(await ask(visitorPort(client, 'a'), 'room again')).to.equal('room again')
    })

    it(`hundreds at once, more than wait in front of a listener, are all served (${muxer})`, async () => {
      const server = await startServer()
      const service = await startService(echo)
      const client = await startClient(portOf(server), [{ name: 'a', kind: 'tcp', local: service }], { muxer })
      const answers = await Promise.all(
        Array.from({ length: COUNT }, (_, index) => ask(visitorPort(client, 'a'), `${index}`))
      )
      expect(answers).to.deep.equal(Array.from({ length: COUNT }, (_, index) => `${index}`))
    })
  }

  it('do not end a process by a kind that throws, on either end', async () => {
    const odd = defineExtension({
      name: 'odd',
      setup({ registries }) {
        registries.proxies.add({
          kind: 'odd',
          spec: Type.Object({}),
          async publish(_spec, host) {
            const { port } = await host.listen({}, (visitor) => {
              // A visitor of which nothing fits into a message.
              host.relay(visitor, { host: 'x\u0000', port: 1e9, to: { host: '', port: -1 } })
            })
            return { address: `127.0.0.1:${port}` }
          },
          reach() {
            throw new Error('not even a promise')
          }
        })
      }
    })
    const thrower = defineExtension({
      name: 'thrower',
      setup({ registries }) {
        registries.proxies.add({
          kind: 'tcp2',
          spec: Type.Object({}),
          async publish(_spec, host) {
            const to = { host: '127.0.0.1', port: 1 }
            const { port } = await host.listen({}, (visitor) => host.relay(visitor, { host: '127.0.0.1', port: 1, to }))
            return { address: `127.0.0.1:${port}` }
          },
          reach() {
            throw new Error('not even a promise')
          }
        })
      }
    })
    const server = await startServer({}, [odd() as never, thrower() as never])
    const client = await startClient(
      portOf(server),
      [
        { name: 'a', kind: 'odd' },
        { name: 'b', kind: 'tcp2' }
      ],
      {},
      [odd() as never, thrower() as never]
    )
    expect(await endOfVisit(visitorPort(client, 'a'))).to.equal('ECONNRESET')
    expect(await endOfVisit(visitorPort(client, 'b'))).to.equal('ECONNRESET')
    expect(server.sessions).to.have.length(1)
    await until(() => server.streams === 0)
  })

  it('are reset on both ends when a transform fails, now or later', async () => {
    let ended: Promise<string> | undefined
    const service = await startService((socket) => {
      ended = endOf(socket)
    })
    for (const fail of [
      () => new Transform({ transform: (_chunk, _encoding, done) => done(new Error('broken')) }),
      () => new Transform({ transform: (_chunk, _encoding, done) => done() }).destroy(),
      () => {
        const transform = new Transform({ transform: (chunk, _encoding, done) => done(null, chunk) })
        transform.once('data', () => transform.destroy())
        return transform
      }
    ]) {
      const through = defineExtension({
        name: 'through',
        setup: ({ hooks }) => hooks.onOpenStream.tap((stream) => stream.through({ toService: fail() }))
      })
      const server = await startServer({}, [through() as never])
      const client = await startClient(portOf(server), [{ name: 'a', kind: 'tcp', local: service }])
      const socket = net.connect({ host: '127.0.0.1', port: visitorPort(client, 'a') })
      later(() => socket.destroy())
      socket.write('x')
      expect(await endOf(socket)).to.equal('ECONNRESET')
      await until(() => server.streams === 0 && client.streams === 0)
      if (ended !== undefined) expect(await ended).to.equal('ECONNRESET')
    }
  })
})

describe('a hostile client', () => {
  afterEach(cleanUp)

  it('that opens streams towards the server, thousands of them, gets none and harms no other client', async () => {
    const server = await startServer()
    const other = await startClient(portOf(server), [{ name: 'a', kind: 'tcp', local: await startService(echo) }])
    const rogue = await rogueClient(server)
    const ends = Array.from({ length: 200 }, (_, counter) => {
      const socket = net.connect({ host: '127.0.0.1', port: portOf(server) })
      later(() => socket.destroy())
      socket.write(dataLinkOpening(rogue.secret as Uint8Array, rogue.session, counter, true))
      return endOf(socket)
    })
    for (const end of await Promise.all(ends)) expect(end).to.be.oneOf(['end', 'ECONNRESET'])
    expect(await ask(visitorPort(other, 'a'), 'unharmed')).to.equal('unharmed')
    expect(server.sessions).to.have.length(2)
  })

  it('that dials data links without a request is held to some', async () => {
    const server = await startServer()
    const rogue = await rogueClient(server)
    let ended = 0
    for (let counter = 0; counter < 400; counter += 1) {
      const socket = net.connect({ host: '127.0.0.1', port: portOf(server) })
      later(() => socket.destroy())
      socket.write(dataLinkOpening(rogue.secret as Uint8Array, rogue.session, counter))
      void endOf(socket).then(() => {
        ended += 1
      })
    }
    await until(() => ended >= 400 - 192)
    expect(server.sessions).to.have.length(1)
  })
})

describe('a hostile server', () => {
  afterEach(cleanUp)

  it('that opens streams for proxies it was not given, and sends garbage on others, harms no other client', async () => {
    const hostile = await rogueServer()
    const service = await startService(echo)
    const starting = startClient(hostile.port, [{ name: 'a', kind: 'tcp', local: service }], { muxer: 'direct' })
    const session = await hostile.session()
    const { request } = await session.next('RegisterProxy')
    session.say({ type: 'RegisterProxyAck', request, address: '0.0.0.0:1' })
    const client = await starting
    session.say({ type: 'RequestLinks', count: 5 })
    await until(() => hostile.links.length === 5)
    const open = (proxy: string): Uint8Array =>
      encode({ type: 'OpenStream', id: '1', proxy, visitor: ['1.2.3.4', 5], to: ['5.6.7.8', 9] })
    const [unknown, proto, garbage, half, good] = hostile.links as [
      net.Socket,
      net.Socket,
      net.Socket,
      net.Socket,
      net.Socket
    ]
    const answers = [unknown, proto, good].map(readAll)
    const ends = [garbage, half].map(endOf)
    unknown.end(open('b'))
    proto.end(open('__proto__'))
    garbage.write(Buffer.alloc(10_000, 0xff))
    half.end(open('a').subarray(0, 9))
    good.end(Buffer.concat([open('a'), Buffer.from('hello')]))
    expect((await answers[0])?.toString('latin1')).to.include('stream.unknown-proxy')
    expect((await answers[1])?.toString('latin1')).to.include('stream.unknown-proxy')
    expect((await answers[2])?.toString('latin1')).to.include('hello')
    for (const end of ends) expect(await end).to.equal('ECONNRESET')
    expect(client.proxies).to.have.length(1)
    await until(() => client.streams === 0)
  })

  it('that asks for links without end does not get the last descriptor', async () => {
    const hostile = await rogueServer()
    const starting = startClient(hostile.port, [], { muxer: 'direct' })
    const session = await hostile.session()
    await starting
    // 6,400: more than are kept.
    session.say(...Array.from({ length: 100 }, () => ({ type: 'RequestLinks', count: 64 }) as const))
    await until(() => hostile.links.length === 4096)
    session.say(...Array.from({ length: 100 }, () => ({ type: 'RequestLinks', count: 64 }) as const))
    // When some are gone, as many may come, and no more.
    for (const link of hostile.links.slice(0, 10)) link.resetAndDestroy()
    await until(() => hostile.links.length >= 4106)
    await turns(100)
    expect(hostile.links.length).to.equal(4106)
  })
})
