import { freePort } from '@rystra/testkit'
import type { RystraError } from '@rystra/model'
import proxyPrivate from '@rystra/proxy-private'
import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { type Carrier, carriers, db, join, make, secret, serve, takenPort, toDb, wayIn } from './private-tunnel.js'
import {
  clientConfig,
  cleanUp,
  echo,
  endOfVisit,
  later,
  otherToken,
  portOf,
  readAll,
  serverConfig,
  startServer,
  startService,
  until,
  visit
} from './tunnel.js'
import { failure } from '@rystra/testkit'

const ask = async (port: number, text: string): Promise<string> => {
  const socket = await visit(port)
  socket.end(text)
  return String(await readAll(socket))
}

describe('entries of private proxies and their visitors', () => {
  let carrier: Carrier

  beforeEach(() => {
    ;[carrier] = carriers() as [Carrier]
  })

  afterEach(cleanUp)

  it('let one client publish and visit at once', async () => {
    const server = await serve(carrier)
    const proxies = await Promise.all(
      ['one', 'two'].map(async (name) => ({ ...db(await startService((socket) => socket.end(name))), name }))
    )
    const first = await join(carrier, server, {
      id: 'a',
      proxies: proxies.slice(0, 1),
      forwards: [toDb({ of: 'two' })]
    })
    const second = await join(carrier, server, { id: 'b', proxies: proxies.slice(1), forwards: [toDb({ of: 'one' })] })
    const itself = await join(carrier, server, {
      id: 'c',
      proxies: [{ ...proxies[0], name: 'three' } as never],
      forwards: [toDb({ of: 'three' })]
    })
    for (const [client, name] of [
      [first, 'two'],
      [second, 'one'],
      [itself, 'one']
    ] as const) {
      expect(String(await readAll(await visit(wayIn(client))))).to.equal(name)
    }
    expect(first.proxies.map(({ address }) => address)).to.deep.equal(['private://one'])
  })

  it('tell services of one name apart by port and protocol', async () => {
    const server = await serve(carrier)
    const services = await Promise.all(['none', 'port'].map((name) => startService((socket) => socket.end(name))))
    await join(carrier, server, {
      id: 'owner',
      proxies: [db(services[0] as number), db(services[1] as number, { name: 'x', of: 'db', port: 5432 })]
    })
    const forwarder = await join(carrier, server, {
      id: 'forwarder',
      forwards: [toDb(), toDb({ name: 'port', port: 5432 }), toDb({ name: 'other', port: 5433 })]
    })
    expect(String(await readAll(await visit(wayIn(forwarder))))).to.equal('none')
    expect(String(await readAll(await visit(wayIn(forwarder, 'port'))))).to.equal('port')
    expect(await endOfVisit(wayIn(forwarder, 'other'))).to.equal('ECONNRESET')
  })

  it('accept the identities that the owner allows, and go to the owner that the visitor names', async () => {
    const server = await serve(carrier)
    const service = await startService(echo)
    await join(carrier, server, { id: 'owner', proxies: [db(service, { allow: ['off*', 'absent'] })] })
    const friend = await join(carrier, server, {
      id: 'friend',
      token: otherToken,
      forwards: [toDb(), toDb({ name: 'right', from: 'home' }), toDb({ name: 'squatted', from: 'office' })]
    })
    expect(await ask(wayIn(friend), 'hello')).to.equal('hello')
    expect(await ask(wayIn(friend, 'right'), 'hello')).to.equal('hello')
    expect(await endOfVisit(wayIn(friend, 'squatted'))).to.equal('ECONNRESET')
    // The owner's own identity is not in the list.
    const own = await join(carrier, server, { id: 'own', forwards: [toDb()] })
    expect(await endOfVisit(wayIn(own))).to.equal('ECONNRESET')
  })

  it('refuse a name that another client has, and leave that one alone', async () => {
    const server = await serve(carrier)
    const service = await startService(echo)
    await join(carrier, server, { id: 'owner', proxies: [db(service)] })
    const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
    for (const [id, token] of [
      ['same', undefined],
      ['other', otherToken]
    ] as const) {
      const late = await make(carrier, server, { id, proxies: [db(service)], ...(token && { token }) })
      const refusal = once(late, 'refused') as Promise<[{ error: RystraError; retryIn?: number }]>
      await late.start()
      const [{ error, retryIn }] = await refusal
      expect(error.code).to.equal('proxy.claimed')
      expect(retryIn).to.be.above(0)
      expect(error.message).to.include('db')
      // Another identity is not told which client holds it.
      expect(error.message.includes('owner')).to.equal(token === undefined)
    }
    expect(await ask(wayIn(forwarder), 'unharmed')).to.equal('unharmed')
  })

  it('fail the start of a client whose visiting port is taken, or whose secret cannot be read', async () => {
    const server = await serve(carrier)
    const bind = await takenPort()
    const taken = await make(carrier, server, { id: 'a', forwards: [toDb(), toDb({ name: 'taken', bind })] })
    const error = await failure(taken.start())
    expect(error.code).to.equal('listen.in-use')
    expect(error.message).to.include(`127.0.0.1:${bind}`)
    const entries: [Record<string, unknown>, string][] = [
      [toDb({ bind: '192.0.2.1:5' }), 'listen.unavailable'],
      [toDb({ secret: undefined, secretFile: '/nonexistent/secret' }), 'proxy.invalid'],
      [toDb({ secretFile: '/nonexistent/secret' }), 'proxy.invalid']
    ]
    for (const [entry, code] of entries) {
      const client = await make(carrier, server, { id: 'b', forwards: [entry] })
      expect((await failure(client.start())).code).to.equal(code)
    }
    expect(server.sessions).to.deep.equal([])
  })

  it('refuse a proxy that would be open to all clients by mistake', async () => {
    const server = await serve(carrier)
    for (const wrong of [
      { secret: undefined },
      { secretFile: '/nonexistent/secret' },
      { secret: undefined, secretFile: '/nonexistent/secret' },
      { name: 'a/b' },
      { protocol: 'udp', proxyProtocol: 'v2' }
    ]) {
      const client = await make(carrier, server, { id: 'a', proxies: [db('127.0.0.1:1', wrong)] })
      expect((await failure(client.start())).code, JSON.stringify(wrong)).to.equal('proxy.invalid')
    }
  })

  it('change with a reload: what is open goes on, what did not change is not touched', async () => {
    const server = await serve(carrier)
    const service = await startService(echo)
    await join(carrier, server, { id: 'owner', proxies: [db(service)] })
    const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb(), toDb({ name: 'same' })] })
    const [before, same] = [wayIn(forwarder), wayIn(forwarder, 'same')]
    const open = await visit(before)
    open.write('x')
    await once(open, 'data')
    const bind = await freePort()
    const taken = await takenPort()
    const visitors = [toDb({ bind }), toDb({ name: 'same' }), toDb({ name: 'taken', bind: taken })]
    const session = forwarder.session?.id
    const refusal = once(forwarder, 'refused') as Promise<
      [{ what: string; name: string; error: RystraError; retryIn?: number }]
    >
    const connect = { host: '127.0.0.1', port: portOf(server), ...carrier.connect }
    await forwarder.reload(
      clientConfig(portOf(server), [], { id: 'forwarder', forwards: visitors as never, connect }, carrier.uses)
    )
    const [refused] = await refusal
    expect(refused).to.include({ what: 'forward', name: 'taken' })
    expect(refused.error.code).to.equal('listen.in-use')
    expect(refused.retryIn).to.be.above(0)
    expect(forwarder.session?.id).to.equal(session)
    expect(wayIn(forwarder)).to.equal(bind)
    expect(wayIn(forwarder, 'same')).to.equal(same)
    expect(await ask(bind, 'moved')).to.equal('moved')
    expect(await ask(same, 'stayed')).to.equal('stayed')
    expect(await endOfVisit(before)).to.equal('ECONNREFUSED')
    open.end('y')
    expect(String(await readAll(open))).to.equal('y')
  })

  it('work as soon as a reload gives a server the kind, over sessions that are up', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const owner = await join(carrier, server, { id: 'owner', proxies: [db(service)] })
    const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb()] })
    expect(owner.proxies).to.deep.equal([])
    expect(await endOfVisit(wayIn(forwarder))).to.equal('ECONNRESET')
    const sessions = server.sessions.map(({ id }) => id)
    await server.reload(serverConfig({}, [proxyPrivate()]))
    await owner.publish(db(service, { name: 'again', of: 'db' }) as never)
    expect(await ask(wayIn(forwarder), 'now')).to.equal('now')
    expect(server.sessions.map(({ id }) => id)).to.deep.equal(sessions)
    // And no longer, when the kind goes.
    await server.reload(serverConfig())
    await until(() => server.proxies.length === 0)
    expect(await endOfVisit(wayIn(forwarder))).to.equal('ECONNRESET')
  })

  it('carry on over a server that was away', async () => {
    const first = await serve(carrier)
    const port = portOf(first)
    const service = await startService(echo)
    const owner = await join(carrier, port, { id: 'owner', proxies: [db(service)] })
    const forwarder = await join(carrier, port, { id: 'forwarder', forwards: [toDb()] })
    await first.stop({ drain: 0 })
    await until(() => forwarder.session === undefined && owner.session === undefined)
    // Waits for a session, as long as a reconnect takes.
    const early = net.connect({ host: '127.0.0.1', port: wayIn(forwarder), allowHalfOpen: true })
    later(() => early.destroy())
    early.on('error', () => {})
    await once(early, 'connect')
    await serve(carrier, { listen: [{ transport: 'tcp', host: '127.0.0.1', port }] })
    await until(() => forwarder.session !== undefined && owner.proxies.length === 1)
    expect(await ask(wayIn(forwarder), 'back')).to.equal('back')
  })

  it('are opened and closed by code, checked as those of a configuration, and left alone by a reload', async () => {
    const server = await serve(carrier)
    const service = await startService((socket) => void socket.end('db'))
    await join(carrier, server, { id: 'owner', proxies: [db(service)] })
    const forwarder = await join(carrier, server, { id: 'forwarder', forwards: [toDb({ name: 'configured' })] })
    const code = (promise: Promise<unknown>): Promise<unknown> =>
      promise.then(
        () => 'done',
        (error: Error) => error
      )
    const entry = { ...toDb(), name: 'coded' }
    expect((await forwarder.visit(entry)).name).to.equal('coded')
    for (const wrong of [{ bnid: 1 }, { bind: 'nowhere' }, { of: '' }, { secret: 7 }]) {
      const error = (await code(forwarder.visit({ ...entry, name: 'wrong', ...wrong }))) as Error
      expect(error, JSON.stringify(wrong)).to.include({ code: 'proxy.invalid', side: 'client' })
      expect(error.message).to.include(Object.keys(wrong)[0])
    }
    expect(await code(forwarder.visit({ name: 'no', kind: 'tcp' }))).to.include({ code: 'proxy.unknown-kind' })
    expect(await code(forwarder.visit(entry))).to.include({ code: 'proxy.name-taken' })

    const config = (visitors: readonly object[]) =>
      clientConfig(
        portOf(server),
        [],
        {
          id: 'forwarder',
          forwards: visitors as never,
          connect: { host: '127.0.0.1', port: portOf(server), ...carrier.connect }
        },
        [...carrier.uses]
      )
    expect(await code(forwarder.reload(config([entry])))).to.include({ code: 'proxy.name-taken' })
    const port = wayIn(forwarder, 'coded')
    await forwarder.reload(config([]))
    expect(forwarder.forwards.map(({ name }) => name)).to.deep.equal(['coded'])
    expect(String(await readAll(await visit(port)))).to.equal('db')
    await forwarder.unvisit('coded')
    expect(forwarder.forwards).to.deep.equal([])
  })

  it('carry datagrams as datagrams', async () => {
    const service = dgram.createSocket('udp4')
    later(() => service.close())
    service.on('message', (message, { port, address }) => service.send(`${message}!`, port, address))
    service.bind(0, '127.0.0.1')
    await once(service, 'listening')
    for (const one of carriers()) {
      const server = await serve(one)
      await join(one, server, { id: 'owner', proxies: [db(service.address().port, { protocol: 'udp' })] })
      const forwarder = await join(one, server, {
        id: 'forwarder',
        forwards: [toDb({ protocol: 'udp' }), toDb({ name: 'tcp' })]
      })
      const sockets = ['one', 'two'].map((name) => {
        const socket = dgram.createSocket('udp4')
        later(() => socket.close())
        socket.send(name, wayIn(forwarder), '127.0.0.1')
        return once(socket, 'message')
      })
      expect((await Promise.all(sockets)).map(([message]) => String(message))).to.deep.equal(['one!', 'two!'])
      // The same name for TCP is another service.
      expect(await endOfVisit(wayIn(forwarder, 'tcp'))).to.equal('ECONNRESET')
      await server.stop({ drain: 0 })
    }
    expect(secret).to.be.a('string')
  })
})
