import { once } from 'node:events'
import net from 'node:net'
import { createClient } from '@rystra/client'
import muxDirect from '@rystra/mux-direct'
import { expect } from 'chai'
import { cuttable } from './cuttable.js'
import {
  ask,
  cleanUp,
  echo,
  endOf,
  failure,
  freePort,
  later,
  makeClient,
  portOf,
  refusal,
  preset,
  readAll,
  startClient,
  startServer,
  startService,
  svc,
  visit,
  visitorPort
} from './tunnel.js'

/** The first of `count` ports in a row that were free a moment ago. */
const freeRange = async (count: number): Promise<number> => {
  for (;;) {
    const base = await freePort()
    const servers = await Promise.all(
      Array.from(
        { length: count },
        (_, index) =>
          new Promise<net.Server | undefined>((resolve) => {
            const server = net.createServer()
            server.once('error', () => resolve(undefined))
            server.listen(base + index, '127.0.0.1', () => resolve(server))
          })
      )
    )
    await Promise.all(servers.map((server) => server && new Promise((resolve) => server.close(resolve))))
    if (servers.every((server) => server !== undefined)) return base
  }
}

describe('authentication', () => {
  afterEach(cleanUp)

  it('refuses a wrong token for good, and tells only the server why', async () => {
    const server = await startServer()
    const refused = once(server, 'refused')
    const client = await makeClient(portOf(server), [], { token: 'not-the-token-not-the-token' })
    const error = await failure(client.start())
    expect(error).to.include({ code: 'auth.refused', exitCode: 5, side: 'server' })
    expect(error.detail).to.equal(undefined)
    const [{ what }] = await refused
    expect(what).to.equal('session')
  })

  it('refuses a client that has nothing to authenticate itself with, on its own side', async () => {
    const server = await startServer()
    const client = await createClient({ client: { connect: { host: '127.0.0.1', port: portOf(server) } } }, { preset })
    later(() => client.stop())
    expect(await failure(client.start())).to.include({ code: 'auth.no-method', side: 'client' })
  })

  it('refuses a muxer that the server does not have', async () => {
    const server = await startServer({}, [], { preset: preset.filter((one) => one !== muxDirect) })
    const client = await makeClient(portOf(server), [], { muxer: 'direct' })
    expect(await failure(client.start())).to.include({ code: 'registry.unknown', side: 'server' })
  })
})

describe('proxies', () => {
  afterEach(cleanUp)

  it('are answered one by one: what is wrong with one does not touch the others', async () => {
    const server = await startServer({ publish: { ports: ['21000-21999'] } })
    const service = await startService(echo)
    const client = await makeClient(portOf(server), [
      svc(service, 'free'),
      svc(service, 'privileged', 22),
      svc(service, 'outside', 40000),
      { ...svc(service, 'wide'), host: '0.0.0.0' }
    ])
    const codes = new Map<string, string>()
    client.on('refused', ({ name, error }) => codes.set(name, error.code))
    await client.start()
    expect(client.proxies.map(({ name }) => name)).to.deep.equal(['free'])
    expect(visitorPort(client, 'free')).to.be.within(21000, 21999)
    expect(Object.fromEntries(codes)).to.deep.equal({
      privileged: 'proxy.port-not-allowed',
      outside: 'proxy.port-not-allowed',
      wide: 'proxy.refused'
    })
  })

  it('may narrow the address that the server publishes on, to one that it has', async () => {
    const server = await startServer({ publish: { host: '0.0.0.0', ports: ['1024-65535'] } })
    const service = await startService(echo)
    const client = await makeClient(portOf(server), [
      { ...svc(service, 'loopback'), host: '127.0.0.1' },
      { ...svc(service, 'not here'), host: '203.0.113.1' },
      { ...svc(service, 'wider'), host: '::' }
    ])
    const codes = new Map<string, string>()
    client.on('refused', ({ name, error }) => codes.set(name, error.code))
    await client.start()
    expect(client.proxies.map(({ address }) => address.split(':')[0])).to.deep.equal(['127.0.0.1'])
    expect(Object.fromEntries(codes)).to.deep.equal({ 'not here': 'listen.unavailable', wider: 'proxy.refused' })
  })

  it('come in ranges', async () => {
    const server = await startServer({ publish: { ports: ['1024-65535'] } })
    const base = await freeRange(3)
    for (let index = 0; index < 3; index += 1) {
      const one = net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.resume()
        socket.on('end', () => socket.end(`service ${index}`))
      })
      one.listen(base + index, '127.0.0.1')
      await once(one, 'listening')
      later(() => one.close())
    }
    const publishRange = async (): Promise<{ readonly first: number; readonly names: readonly string[] }> => {
      const first = await freeRange(3)
      const client = await startClient(portOf(server), [
        { name: 'range', kind: 'tcp', local: `127.0.0.1:${base}-${base + 2}`, port: `${first}-${first + 2}` }
      ])
      const names = client.proxies.map(({ name }) => name)
      if (names.length === 3) return { first, names }
      // Another program took one of the ports in between.
      await client.stop()
      return publishRange()
    }
    const { first, names } = await publishRange()
    expect(names).to.have.members([0, 1, 2].map((index) => `range:${first + index}`))
    for (const index of [0, 1, 2]) expect(await ask(first + index, '?')).to.equal(`service ${index}`)
  })

  it('can be added and taken back while the session is up, without touching others', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [svc(service, 'first')])
    const [added] = await client.publish(svc(service, 'second'))
    const port = Number(added?.address.split(':').at(-1))
    const socket = await visit(port)
    socket.write('stay')
    await once(socket, 'data')
    const gone = once(server, 'unpublished')
    client.unpublish('second')
    await gone
    expect(await refusal(port)).to.equal('ECONNREFUSED')
    socket.end('still open')
    expect((await readAll(socket)).toString()).to.equal('still open')
    expect(await ask(visitorPort(client, 'first'), 'untouched')).to.equal('untouched')
  })

  it('of the same name are refused within a client', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [svc(service)])
    expect(await failure(client.publish(svc(service)))).to.include({ code: 'proxy.name-taken', side: 'client' })
  })

  it('expire, and stay so over a reconnect', async () => {
    const server = await startServer()
    const hop = await cuttable(portOf(server))
    const service = await startService(echo)
    const client = await startClient(hop.port, [{ ...svc(service), expiresIn: 1000 }])
    const port = visitorPort(client, 'svc')
    const [, error] = await once(client, 'unpublished')
    expect(error.code).to.equal('proxy.expired')
    expect(await refusal(port)).to.equal('ECONNREFUSED')
    const back = once(client, 'connected')
    hop.cut()
    await back
    expect(client.proxies).to.deep.equal([])
  })

  it('are limited in number', async () => {
    const server = await startServer({ limits: { proxiesPerSession: 2 } })
    const service = await startService(echo)
    const client = await makeClient(
      portOf(server),
      ['a', 'b', 'c'].map((name) => svc(service, name))
    )
    const refused = once(client, 'refused')
    await client.start()
    const [{ name, error }] = await refused
    expect([name, error.code]).to.deep.equal(['c', 'proxy.limit'])
  })
})

describe('a stop', () => {
  afterEach(cleanUp)

  for (const muxer of ['yamux', 'direct']) {
    it(`of the server lets open streams finish, and refuses new visitors (${muxer})`, async () => {
      const server = await startServer()
      const service = await startService(echo)
      const client = await startClient(portOf(server), [svc(service)], { muxer })
      const port = visitorPort(client, 'svc')
      const socket = await visit(port)
      socket.write('before ')
      await once(socket, 'data')
      const stopped = server.stop({ drain: 10_000 })
      await once(client, 'disconnected')
      expect(await refusal(port)).to.equal('ECONNREFUSED')
      socket.end('after')
      expect((await readAll(socket)).toString()).to.equal('after')
      await stopped
    })

    it(`of the client lets open streams finish (${muxer})`, async () => {
      const server = await startServer()
      const service = await startService(echo)
      const client = await startClient(portOf(server), [svc(service)], { muxer })
      const port = visitorPort(client, 'svc')
      const socket = await visit(port)
      socket.write('before ')
      await once(socket, 'data')
      const gone = once(server, 'unpublished')
      const stopped = client.stop({ drain: 10_000 })
      await gone
      socket.end('after')
      expect((await readAll(socket)).toString()).to.equal('after')
      await stopped
      expect(await refusal(port)).to.equal('ECONNREFUSED')
    })
  }

  it('cuts what is open at the deadline', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [svc(service)])
    const socket = await visit(visitorPort(client, 'svc'))
    socket.write('x')
    await once(socket, 'data')
    const ended = endOf(socket)
    await server.stop({ drain: 50 })
    expect(await ended).to.equal('ECONNRESET')
  })
})
