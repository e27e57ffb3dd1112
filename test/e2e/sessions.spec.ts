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
  otherToken,
  portOf,
  preset,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const svc = (local: number, port?: number, name = 'svc') => ({
  name,
  kind: 'tcp',
  local: `127.0.0.1:${local}`,
  ...(port === undefined ? {} : { port })
})

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

describe('a client that loses its session', () => {
  afterEach(cleanUp)

  it('comes back by itself, with all its proxies under the same addresses', async () => {
    const server = await startServer()
    const hop = await cuttable(portOf(server))
    const service = await startService(echo)
    const client = await startClient(hop.port, [
      svc(service, await freePort(), 'a'),
      svc(service, await freePort(), 'b')
    ])
    const before = client.proxies.map(({ address }) => address)
    const back = once(client, 'connected')
    hop.cut()
    await back
    await until(() => client.proxies.length === 2)
    expect(client.proxies.map(({ address }) => address)).to.have.members(before)
    expect(await ask(visitorPort(client, 'a'), 'again')).to.equal('again')
  })

  it('gets the port again that the server chose for it, also when the server does not know yet that it was gone', async () => {
    const server = await startServer()
    const hop = await cuttable(portOf(server))
    const service = await startService(echo)
    const first = await startClient(hop.port, [svc(service)], { id: 'nas' })
    const port = visitorPort(first, 'svc')
    hop.swallow()
    const second = await startClient(portOf(server), [svc(service)], { id: 'nas' })
    expect(visitorPort(second, 'svc')).to.equal(port)
    await second.stop()
    await first.stop({ drain: 0 })
    const third = await startClient(portOf(server), [svc(service)], { id: 'nas' })
    expect(visitorPort(third, 'svc')).to.equal(port)
    expect(await ask(port, 'again')).to.equal('again')
  })

  it('finds its port again when the server does not know yet that it was gone', async () => {
    const server = await startServer()
    const hop = await cuttable(portOf(server))
    const service = await startService(echo)
    const port = await freePort()
    const first = await startClient(hop.port, [svc(service, port)], { id: 'nas' })
    hop.swallow()
    // As after kill -9 or a power cut: another process, the same id, while the server still holds the old session.
    const second = await startClient(portOf(server), [svc(service, port)], { id: 'nas' })
    expect(visitorPort(second, 'svc')).to.equal(port)
    expect(await ask(port, 'here')).to.equal('here')
    await until(() => server.sessions.length === 1)
    await first.stop({ drain: 0 })
  })

  it('comes back after a restart of the server', async () => {
    const port = await freePort()
    const listen = { listen: [{ transport: 'tcp', host: '127.0.0.1', port }] }
    const server = await startServer(listen)
    const service = await startService(echo)
    const client = await startClient(port, [svc(service)])
    const gone = once(client, 'disconnected')
    await server.stop({ drain: 0 })
    await gone
    const tried = once(client, 'reconnecting')
    await tried
    const back = once(client, 'published')
    await startServer(listen)
    await back
    expect(await ask(visitorPort(client, 'svc'), 'again')).to.equal('again')
  })

  it('comes back although something else answered in between', async () => {
    const port = await freePort()
    const listen = { listen: [{ transport: 'tcp', host: '127.0.0.1', port }] }
    const server = await startServer(listen)
    const client = await startClient(port, [svc(await startService(echo))])
    await server.stop({ drain: 0 })
    const portal = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.resume()
      socket.end('HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n')
    })
    later(() => portal.close())
    portal.listen(port, '127.0.0.1')
    const misled = new Promise<string>((resolve) => {
      client.on('reconnecting', ({ error }) => {
        if (error.code.startsWith('protocol.')) resolve(error.code)
      })
    })
    expect(await misled).to.equal('protocol.not-rystra')
    await new Promise((resolve) => portal.close(resolve))
    const back = once(client, 'published')
    await startServer(listen)
    await back
    expect(await ask(visitorPort(client, 'svc'), 'again')).to.equal('again')
  })

  it('notices a dead server within the time-out, and the server a dead client', async () => {
    const server = await startServer({ heartbeat: { interval: 100, timeout: 250 } })
    const hop = await cuttable(portOf(server))
    const client = await startClient(hop.port, [])
    await until(() => client.rtt !== undefined)
    const atClient = once(client, 'disconnected')
    const atServer = once(server, 'disconnected')
    hop.swallow()
    const [, error] = await atClient
    expect(error.code).to.equal('session.timeout')
    const [, there] = await atServer
    expect(there.code).to.equal('session.timeout')
  })

  it('measures the round trip', async () => {
    const server = await startServer({ heartbeat: { interval: 100, timeout: 5000 } })
    const client = await startClient(portOf(server), [])
    await until(() => client.rtt !== undefined)
    expect(client.rtt).to.be.within(0, 5000)
  })

  it('gives up after the attempts it was given', async () => {
    const client = await makeClient(await freePort(), [], { reconnect: { min: 1, max: 2, attempts: 3 } })
    let tries = 0
    client.on('reconnecting', () => {
      tries += 1
    })
    expect(await failure(client.start())).to.include({ code: 'connect.unreachable', exitCode: 4 })
    expect(tries).to.equal(3)
  })

  it('says that it does not talk to a Rystra server', async () => {
    const web = await startService((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const client = await makeClient(web, [])
    const error = await failure(client.start())
    expect(error.code).to.be.oneOf(['protocol.not-rystra', 'protocol.unexpected', 'protocol.too-large'])
    expect(error.retryable).to.equal(false)
  })
})

describe('two clients under one id', () => {
  afterEach(cleanUp)

  it('the second takes over, the first says so and stops for good', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const port = await freePort()
    const first = await startClient(portOf(server), [svc(service, port)], { id: 'twin' })
    const second = await startClient(portOf(server), [svc(service, port)], { id: 'twin' })
    const error = await failure(first.closed)
    expect(error).to.include({ code: 'session.replaced', exitCode: 7 })
    expect(visitorPort(second, 'svc')).to.equal(port)
    expect(await ask(port, 'mine')).to.equal('mine')
    expect(server.sessions).to.have.length(1)
  })

  it('of different identities do not touch each other', async () => {
    const server = await startServer()
    const first = await startClient(portOf(server), [], { id: 'same' })
    await startClient(portOf(server), [], { id: 'same', token: otherToken })
    expect(server.sessions.map(({ identity }) => identity.id)).to.have.members(['home', 'office'])
    expect(first.session).not.to.equal(undefined)
  })
})

describe('a port that another client has', () => {
  afterEach(cleanUp)

  it('stays with a holder that answers, and the second client is told which it is', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const port = await freePort()
    await startClient(portOf(server), [svc(service, port, 'web')], { id: 'one' })
    const second = await makeClient(portOf(server), [svc(service, port, 'mine')], { id: 'two' })
    const refused = once(second, 'refused')
    await second.start()
    const [{ error, retryIn }] = await refused
    expect(error.code).to.equal('proxy.port-taken')
    expect(error.detail).to.equal(`${port}, by proxy web of client one`)
    expect(retryIn).to.be.a('number')
    expect(await ask(port, 'still one')).to.equal('still one')
    expect(server.sessions).to.have.length(2)
  })

  it('goes to the second client when the holder does not answer', async () => {
    const server = await startServer({ takeoverTimeout: 150 })
    const hop = await cuttable(portOf(server))
    const service = await startService(echo)
    const port = await freePort()
    const first = await startClient(hop.port, [svc(service, port)], { id: 'old-name' })
    hop.swallow()
    const second = await startClient(portOf(server), [svc(service, port)], { id: 'new-name' })
    expect(visitorPort(second, 'svc')).to.equal(port)
    expect(await ask(port, 'new')).to.equal('new')
    await first.stop({ drain: 0 })
  })

  it('tells another identity nothing but that it is taken', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const port = await freePort()
    await startClient(portOf(server), [svc(service, port, 'secret-name')], { id: 'one' })
    const second = await makeClient(portOf(server), [svc(service, port)], { id: 'two', token: otherToken })
    const refused = once(second, 'refused')
    await second.start()
    const [{ error }] = await refused
    expect(error.code).to.equal('proxy.port-taken')
    expect(error.detail).to.equal(String(port))
  })

  it('is refused when another program has it', async () => {
    const server = await startServer()
    const taken = await startService(echo)
    const client = await makeClient(portOf(server), [svc(taken, taken)])
    const refused = once(client, 'refused')
    await client.start()
    const [{ error }] = await refused
    expect(error.code).to.equal('proxy.port-taken')
    expect(error.detail, 'the same as for one that another client has').to.equal(String(taken))
  })

  it('is asked for again, and given, when the holder goes', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const port = await freePort()
    const first = await startClient(portOf(server), [svc(service, port)], { id: 'one' })
    const second = await startClient(portOf(server), [svc(service, port)], { id: 'two' })
    expect(second.proxies).to.deep.equal([])
    const published = once(second, 'published')
    await first.stop({ drain: 0 })
    await published
    expect(visitorPort(second, 'svc')).to.equal(port)
  })
})

describe('proxies', () => {
  afterEach(cleanUp)

  it('are answered one by one: what is wrong with one does not touch the others', async () => {
    const server = await startServer({ publish: { ports: ['21000-21999'] } })
    const service = await startService(echo)
    const client = await makeClient(portOf(server), [
      svc(service, undefined, 'free'),
      svc(service, 22, 'privileged'),
      svc(service, 40000, 'outside'),
      { ...svc(service, undefined, 'wide'), host: '0.0.0.0' }
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
      { ...svc(service, undefined, 'loopback'), host: '127.0.0.1' },
      { ...svc(service, undefined, 'not here'), host: '203.0.113.1' },
      { ...svc(service, undefined, 'wider'), host: '::' }
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
    const client = await startClient(portOf(server), [svc(service, undefined, 'first')])
    const [added] = await client.publish(svc(service, undefined, 'second'))
    const port = Number(added?.address.split(':').at(-1))
    const socket = await visit(port)
    socket.write('stay')
    await once(socket, 'data')
    const gone = once(server, 'unpublished')
    client.unpublish('second')
    await gone
    expect((await failure(visit(port))).message).to.include('ECONNREFUSED')
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
    expect((await failure(visit(port))).message).to.include('ECONNREFUSED')
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
      ['a', 'b', 'c'].map((name) => svc(service, undefined, name))
    )
    const refused = once(client, 'refused')
    await client.start()
    const [{ name, error }] = await refused
    expect([name, error.code]).to.deep.equal(['c', 'proxy.limit'])
  })
})

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
      expect((await failure(visit(port))).message).to.include('ECONNREFUSED')
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
      expect((await failure(visit(port))).message).to.include('ECONNREFUSED')
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
