import { once } from 'node:events'
import net from 'node:net'
import { expect } from 'chai'
import { cuttable } from './cuttable.js'
import {
  ask,
  cleanUp,
  echo,
  failure,
  freePort,
  later,
  makeClient,
  otherToken,
  portOf,
  startClient,
  startServer,
  startService,
  svc,
  until,
  visitorPort
} from './tunnel.js'

describe('a client that loses its session', () => {
  afterEach(cleanUp)

  it('comes back by itself, with all its proxies under the same addresses', async () => {
    const server = await startServer()
    const hop = await cuttable(portOf(server))
    const service = await startService(echo)
    const client = await startClient(hop.port, [
      svc(service, 'a', await freePort()),
      svc(service, 'b', await freePort())
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
    const first = await startClient(hop.port, [svc(service, 'svc', port)], { id: 'nas' })
    hop.swallow()
    // As after kill -9 or a power cut: another process, the same id, while the server still holds the old session.
    const second = await startClient(portOf(server), [svc(service, 'svc', port)], { id: 'nas' })
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
    const first = await startClient(portOf(server), [svc(service, 'svc', port)], { id: 'twin' })
    const second = await startClient(portOf(server), [svc(service, 'svc', port)], { id: 'twin' })
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
    await startClient(portOf(server), [svc(service, 'web', port)], { id: 'one' })
    const second = await makeClient(portOf(server), [svc(service, 'mine', port)], { id: 'two' })
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
    const first = await startClient(hop.port, [svc(service, 'svc', port)], { id: 'old-name' })
    hop.swallow()
    const second = await startClient(portOf(server), [svc(service, 'svc', port)], { id: 'new-name' })
    expect(visitorPort(second, 'svc')).to.equal(port)
    expect(await ask(port, 'new')).to.equal('new')
    await first.stop({ drain: 0 })
  })

  it('tells another identity nothing but that it is taken', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const port = await freePort()
    await startClient(portOf(server), [svc(service, 'secret-name', port)], { id: 'one' })
    const second = await makeClient(portOf(server), [svc(service, 'svc', port)], { id: 'two', token: otherToken })
    const refused = once(second, 'refused')
    await second.start()
    const [{ error }] = await refused
    expect(error.code).to.equal('proxy.port-taken')
    expect(error.detail).to.equal(String(port))
  })

  it('is refused when another program has it', async () => {
    const server = await startServer()
    const taken = await startService(echo)
    const client = await makeClient(portOf(server), [svc(taken, 'svc', taken)])
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
    const first = await startClient(portOf(server), [svc(service, 'svc', port)], { id: 'one' })
    const second = await startClient(portOf(server), [svc(service, 'svc', port)], { id: 'two' })
    expect(second.proxies).to.deep.equal([])
    const published = once(second, 'published')
    await first.stop({ drain: 0 })
    await published
    expect(visitorPort(second, 'svc')).to.equal(port)
  })
})
