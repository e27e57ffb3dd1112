import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import net from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { defineExtension } from '@rystra/plugin'
import proxyHttp from '@rystra/proxy-http'
import type { Message } from '@rystra/protocol'
import proxyPrivate from '@rystra/proxy-private'
import { expect } from 'chai'
import { rogueClient, rogueServer } from './rogue.js'
import {
  cleanUp,
  echo,
  later,
  listens,
  portOf as portOfServer,
  startClient,
  startServer,
  startService,
  until,
  visitorPort
} from './tunnel.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const heapBytes = (): number => {
  collect()
  return process.memoryUsage().heapUsed
}

const openDescriptors = (): number => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0)

const hold = async (): Promise<net.Server> => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => server.close())
  return server
}

const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port

const free = async (): Promise<number> => {
  const server = await hold()
  const port = portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('ports of the server', () => {
  afterEach(cleanUp)

  it('are not left bound by a client that goes while they are being bound', async () => {
    // A name that has to be looked up: binding takes some turns of the event loop.
    const server = await startServer({ publish: { host: 'localhost' } })
    const ports = await Promise.all(Array.from({ length: 5 }, free))
    const rogue = await rogueClient(server)
    for (const [request, port] of ports.entries()) {
      rogue.say({ type: 'RegisterProxy', request, spec: { name: `n${request}`, kind: 'tcp', port } })
    }
    const gone = once(server, 'disconnected')
    await until(() => server.proxies.length === 1)
    rogue.socket.resetAndDestroy()
    await gone
    // A client behind it, to know that the server is through with the one before.
    const next = await rogueClient(server, 'next')
    for (const [request, port] of ports.entries()) {
      next.say({ type: 'RegisterProxy', request, spec: { name: `n${request}`, kind: 'tcp', port } })
      expect((await next.next('RegisterProxyAck')).error).to.equal(undefined)
    }
    next.socket.destroy()
    await until(() => server.sessions.length === 0)
    await until(() => server.proxies.length === 0)
    await new Promise((resolve) => setImmediate(resolve))
    expect(await Promise.all(ports.map(listens))).to.deep.equal(ports.map(() => false))
  })

  it('that another program had when a free one was looked for are not taken afterwards', async () => {
    const other = await hold()
    const taken = portOf(other)
    // One of two: the search may begin with either.
    const spare = await free()
    const server = await startServer({ publish: { ports: [taken, spare] } })
    const rogue = await rogueClient(server)
    rogue.say({ type: 'RegisterProxy', request: 1, spec: { name: 'any', kind: 'tcp' } })
    expect((await rogue.next('RegisterProxyAck')).address).to.equal(`127.0.0.1:${spare}`)
    rogue.say({ type: 'RegisterProxy', request: 2, spec: { name: 'none', kind: 'tcp' } })
    expect((await rogue.next('RegisterProxyAck')).error?.code).to.equal('proxy.no-free-port')
    await new Promise((resolve) => other.close(resolve))
    rogue.say({ type: 'RegisterProxy', request: 3, spec: { name: 'fixed', kind: 'tcp', port: taken } })
    expect((await rogue.next('RegisterProxyAck')).address).to.equal(`127.0.0.1:${taken}`)
  })

  it('are published where the server says, and on no other address that a client names', async () => {
    const server = await startServer()
    const rogue = await rogueClient(server)
    for (const [request, host] of ['0.0.0.0', '::', '127.0.0.2', 'localhost', '', ' ', '0', '127.1'].entries()) {
      rogue.say({ type: 'RegisterProxy', request, spec: { name: `n${request}`, kind: 'tcp', host } })
      const { error } = await rogue.next('RegisterProxyAck')
      expect(error?.code, host).to.be.oneOf(['proxy.refused', 'proxy.invalid'])
    }
    rogue.say({ type: 'RegisterProxy', request: 9, spec: { name: 'n9', kind: 'tcp', host: '127.0.0.1' } })
    expect((await rogue.next('RegisterProxyAck')).error).to.equal(undefined)
  })

  it('may be on one address of the machine when the server publishes on all of them', async () => {
    const server = await startServer({ publish: { host: '0.0.0.0' } })
    const rogue = await rogueClient(server)
    rogue.say({ type: 'RegisterProxy', request: 0, spec: { name: 'one', kind: 'tcp', host: '127.0.0.1' } })
    expect((await rogue.next('RegisterProxyAck')).address).to.match(/^127\.0\.0\.1:/)
    rogue.say({ type: 'RegisterProxy', request: 1, spec: { name: 'six', kind: 'tcp', host: '::1' } })
    expect((await rogue.next('RegisterProxyAck')).error?.code).to.equal('proxy.refused')
    rogue.say({ type: 'RegisterProxy', request: 2, spec: { name: 'dns', kind: 'tcp', host: 'localhost' } })
    expect((await rogue.next('RegisterProxyAck')).error?.code).to.equal('proxy.refused')
  })

  it('are refused in every odd form, one by one, and the session goes on', async () => {
    const server = await startServer()
    const rogue = await rogueClient(server)
    const odd: Record<string, unknown>[] = [
      ...[-1, 1.5, 65536, 1e300, '22', '1024-', '-1', '1-99999', [2000], { from: 1 }, true, null].map((port) => ({
        port
      })),
      ...[0, -1, 0.5, 1e300, '1h', true, null, [1]].map((expiresIn) => ({ expiresIn })),
      { proxyProtocol: 'v1' },
      { local: '127.0.0.1:22' },
      { toString: 'x' },
      { constructor: { prototype: { polluted: 1 } } },
      { kind: '__proto__' },
      { kind: 'constructor' }
    ]
    for (const [request, fields] of odd.entries()) {
      rogue.say({ type: 'RegisterProxy', request, spec: { name: `n${request}`, kind: 'tcp', ...fields } as never })
      const { error } = await rogue.next('RegisterProxyAck')
      expect(error?.code, JSON.stringify(fields)).to.be.oneOf([
        'proxy.invalid',
        'proxy.unknown-kind',
        'proxy.port-not-allowed'
      ])
    }
    expect(({} as { polluted?: unknown }).polluted).to.equal(undefined)
    expect(server.proxies).to.deep.equal([])
    rogue.say({ type: 'RegisterProxy', request: 99, spec: { name: 'fine', kind: 'tcp', expiresIn: 3650 * 86_400_000 } })
    expect((await rogue.next('RegisterProxyAck')).error).to.equal(undefined)
    expect(server.proxies).to.have.length(1)
  })

  it('have names and hosts in one form, whatever a client sends', async () => {
    const server = await startServer({}, [
      proxyHttp({ listen: [{ host: '127.0.0.1', port: 0 }] } as never),
      proxyPrivate
    ])
    const rogue = await rogueClient(server)
    let request = 0
    const register = async (spec: object) => {
      request += 1
      rogue.say({ type: 'RegisterProxy', request, spec: { name: `n${request}`, ...spec } as never })
      return rogue.next('RegisterProxyAck')
    }
    for (const host of ['.', 'a..b', '.a', 'a.', 'a b', 'a/b', 'a\u202eb', 'a\u0000', '*', '*.*.a', '-a.b', 'a@b']) {
      const { error, address } = await register({ kind: 'http', host })
      if (host === 'a.') expect(address).to.match(/^http:\/\/a:/)
      else expect(error?.code, JSON.stringify(host)).to.equal('proxy.invalid')
    }
    const { address } = await register({ kind: 'http', host: 'Web.LOCALHOST.' })
    expect(address).to.match(/^http:\/\/web\.localhost:/)
    expect((await register({ kind: 'http', host: 'web.localhost' })).error?.code, 'the same host').to.equal(
      'proxy.claimed'
    )
    for (const odd of ['a\u202eb', '\u2066', 'a\u2028b'])
      for (const spec of [{ of: odd, secret: 's' }, { group: { name: odd } }])
        expect((await register({ kind: 'private', ...spec })).error?.code, JSON.stringify(spec)).to.equal(
          'proxy.invalid'
        )
  })

  it("cannot be taken from another client by its proxy's name", async () => {
    const server = await startServer()
    const owner = await rogueClient(server, 'owner')
    owner.say({ type: 'RegisterProxy', request: 0, spec: { name: 'mine', kind: 'tcp' } })
    await owner.next('RegisterProxyAck')
    const rogue = await rogueClient(server)
    rogue.say(
      { type: 'UnregisterProxy', name: 'mine' },
      { type: 'RegisterProxy', request: 1, spec: { name: 'mine', kind: 'tcp' } }
    )
    // Names are each client's own: this is another proxy, on another port.
    expect((await rogue.next('RegisterProxyAck')).error).to.equal(undefined)
    expect(server.proxies.map(({ session }) => session.client.id)).to.have.members(['owner', 'rogue'])
    rogue.say({ type: 'RegisterProxy', request: 2, spec: { name: 'mine', kind: 'tcp' } })
    expect((await rogue.next('RegisterProxyAck')).error?.code).to.equal('proxy.name-taken')
    expect(server.proxies).to.have.length(2)
  })

  it('of a client that floods the server with refused registrations and reads no answer end with its session', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const rogue = await rogueClient(server)
    let refused = 0
    server.on('refused', () => {
      refused += 1
    })
    const gone = once(server, 'disconnected')
    rogue.socket.pause()
    let request = 0
    const flood = (): Message[] =>
      Array.from({ length: 100 }, () => ({
        type: 'RegisterProxy',
        request: request++,
        spec: { name: `n${request}`, kind: 'none' }
      }))
    const flooding = (async () => {
      while (!rogue.socket.destroyed && request < 20_000) {
        rogue.say(...flood())
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const client = await startClient(portOfServer(server), [{ name: 'svc', kind: 'tcp', local: service }])
    expect(visitorPort(client, 'svc'), 'others are served meanwhile').to.be.a('number')
    const [, error] = await gone
    await flooding
    expect(error.code).to.equal('proxy.limit')
    expect(refused).to.be.below(5000)
  })

  it('of a client that registers and unregisters without an end leave no port, no name and no memory behind', async () => {
    const server = await startServer()
    const rogue = await rogueClient(server)
    const cycles = async (from: number, count: number): Promise<void> => {
      for (let request = from; request < from + count; request += 20) {
        const names = Array.from({ length: 20 }, (_, index) => request + index)
        rogue.say(
          ...names.flatMap((one): Message[] => [
            { type: 'RegisterProxy', request: one, spec: { name: `n${one}`, kind: 'tcp' } },
            { type: 'UnregisterProxy', name: `n${one}` }
          ])
        )
        for (const one of names) expect(await rogue.next('RegisterProxyAck')).to.include({ request: one })
      }
      // One more behind them, to know that the last was unregistered.
      rogue.say({ type: 'RegisterProxy', request: 0, spec: { name: 'last', kind: 'none' } })
      await rogue.next('RegisterProxyAck')
    }
    await cycles(1, 500)
    const before = [openDescriptors(), heapBytes()] as const
    await cycles(501, 1000)
    expect(server.proxies).to.deep.equal([])
    await until(() => openDescriptors() <= before[0])
    // A proxy that is kept takes some 5 KB.
    expect(heapBytes() - before[1], 'bytes of heap for 1,000 proxies').to.be.below(2_000_000)
  })

  it('of a client that asks for thousands of huge proxies are refused before they fill the memory', async () => {
    let calls = 0
    const slow = defineExtension({
      name: 'slow',
      setup({ hooks }) {
        hooks.onRegisterProxy.tapPromise({ timeout: 0 }, () => {
          calls += 1
          return new Promise(() => {})
        })
      }
    })
    const server = await startServer({}, [slow() as never])
    const rogue = await rogueClient(server)
    const gone = once(server, 'disconnected')
    const filler = 'x'.repeat(60_000)
    let request = 0
    let over = false
    void gone.then(() => {
      over = true
    })
    // 16 MiB would be nothing to a queue that counts messages.
    while (!over && request < 400) {
      rogue.say({
        type: 'RegisterProxy',
        request: request++,
        spec: { name: `n${request}`, kind: 'tcp', filler } as never
      })
      await new Promise((resolve) => setImmediate(resolve))
    }
    const [, error] = await gone
    expect(error.code).to.equal('proxy.limit')
    expect(calls).to.equal(1)
  })
})

describe('a port that a client wants', () => {
  afterEach(cleanUp)

  it('is asked for once, however often a server takes it back', async () => {
    const server = await rogueServer()
    const service = await startService(echo)
    const starting = startClient(server.port, [{ name: 'a', kind: 'tcp', local: service }], { muxer: 'direct' })
    const session = await server.session()
    const { request } = await session.next('RegisterProxy')
    session.say({ type: 'RegisterProxyAck', request, address: '0.0.0.0:1' })
    const client = await starting
    const retries: number[] = []
    client.on('refused', ({ retryIn }) => retries.push(retryIn ?? -1))
    const error = { code: 'proxy.port-taken' }
    session.say(...Array.from({ length: 200 }, () => ({ type: 'UnregisterProxy', name: 'a', error }) as const))
    await until(() => retries.length > 0)
    const again = await session.next('RegisterProxy')
    session.say({ type: 'RegisterProxyAck', request: again.request, address: '0.0.0.0:1' })
    await until(() => client.proxies.length === 1)
    expect(retries.length).to.equal(1)
    expect(session.heard.filter(({ type }) => type === 'RegisterProxy')).to.deep.equal([])
  })
})
