import { defineExtension, Type } from '@rystra/plugin'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import net from 'node:net'
import { once } from 'node:events'
import {
  cleanUp,
  clientConfig,
  codeOf,
  echo,
  freePort,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  visit,
  visitorPort
} from './tunnel.js'
import { visitors } from './change-world.js'

const says = async (port: number): Promise<string> => {
  const socket = net.connect(port, '127.0.0.1')
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return String(bytes)
}

/** A service that says its name and then echoes. */
const named = (name: string): Promise<number> =>
  startService((socket) => {
    socket.write(name)
    echo(socket)
  })

describe('a proxy that is changed', () => {
  afterEach(cleanUp)

  const world = async (extensions: Parameters<typeof startServer>[1] = []) => {
    const server = await startServer({}, extensions)
    const [one, two] = [await named('one'), await named('two')]
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: one }])
    return { server, client, one, two, port: visitorPort(client, 'x') }
  }

  const opened = async (port: number): Promise<net.Socket> => {
    const visitor = await visit(port)
    await once(visitor, 'data')
    return visitor
  }

  const isOpen = async (visitor: net.Socket): Promise<void> => {
    visitor.write('still here')
    const [bytes] = (await once(visitor, 'data')) as [Buffer]
    expect(String(bytes)).to.equal('still here')
  }

  it('by its client keeps the port that the server chose, refuses no visitor, and cuts none', async () => {
    const { client, server, two, port } = await world()
    const visitor = await opened(port)
    const stop = visitors(() => says(port))
    for (let n = 1; n <= 20; n += 1) {
      const [changed] = await client.update({ name: 'x', kind: 'tcp', local: two, maxConnections: 1000 + n })
      expect(changed?.address.endsWith(`:${port}`)).to.equal(true)
      expect(server.proxies.map(({ spec }) => spec['maxConnections'])).to.deep.equal([1000 + n])
    }
    const came = await stop()
    expect([...came.keys()].filter((answer) => answer !== 'one' && answer !== 'two')).to.deep.equal([])
    expect(await says(port)).to.equal('two')
    await isOpen(visitor)
    const [proxy] = [...server.runtime.proxies()]
    expect(proxy?.stats().streams, 'open streams are counted on').to.equal(1)
  })

  it('in what the server does not see is changed without asking it', async () => {
    const { client, server, two, port } = await world()
    const before = server.runtime.events.sequence
    await client.update({ name: 'x', kind: 'tcp', local: two })
    expect(await says(port)).to.equal('two')
    expect(server.runtime.events.sequence).to.equal(before)
  })

  it('by a reload of its client likewise, and other proxies are not touched', async () => {
    const { client, server, one, two, port } = await world()
    const visitor = await opened(port)
    const stop = visitors(() => says(port))
    const proxies = [
      { name: 'x', kind: 'tcp', local: two, maxConnections: 7 },
      { name: 'y', kind: 'tcp', local: one }
    ]
    await client.reload(clientConfig(portOf(server), proxies))
    await until(() => client.proxies.length === 2, 'both are published')
    await until(() => server.proxies.some(({ spec }) => spec['maxConnections'] === 7), 'it is changed')
    expect(visitorPort(client, 'x')).to.equal(port)
    const came = await stop()
    expect([...came.keys()].filter((answer) => answer !== 'one' && answer !== 'two')).to.deep.equal([])
    await isOpen(visitor)
  })

  it('moves to another port, and back to any, and the port before is free', async () => {
    const { client, server, one, port } = await world()
    const free = await startService(echo)
    const visitor = await opened(port)
    const other = await freePort()
    await client.update({ name: 'x', kind: 'tcp', local: one, port: free })
    expect(client.runtime.proxy('x')?.info.error?.code).to.equal('proxy.port-taken')
    expect(await says(port), 'it is as it was').to.equal('one')
    expect(server.proxies.length).to.equal(1)
    await client.update({ name: 'x', kind: 'tcp', local: one, port: other })
    expect(await says(other)).to.equal('one')
    expect(await codeOf(says(port))).to.equal('ECONNREFUSED')
    await client.update({ name: 'x', kind: 'tcp', local: one })
    expect(visitorPort(client, 'x'), 'any port: the one that it has').to.equal(other)
    await isOpen(visitor)
  })

  it('into what the server refuses stays as it was, at both ends', async () => {
    const deny = defineExtension({
      name: 'deny',
      setup: ({ hooks }) => hooks.onRegisterProxy.tap((spec) => (spec['maxConnections'] === 13 ? { deny: 'no' } : spec))
    })
    const { client, server, one, two, port } = await world([deny()])
    const wrong = { name: 'x', kind: 'tcp', local: two, maxConnections: 13 }
    expect(await codeOf(client.update(wrong))).to.equal('proxy.refused')
    expect([await says(port), client.proxies[0]?.spec['local'], server.proxies.length]).to.deep.equal(['one', one, 1])
    const refused: string[] = []
    client.on('refused', ({ error }) => void refused.push(error.code))
    await client.reload(clientConfig(portOf(server), [wrong]))
    await until(() => refused.length > 0, 'the reload is answered')
    expect([refused, await says(port)]).to.deep.equal([['proxy.refused'], 'one'])
    expect(client.runtime.proxy('x')?.info.error?.code).to.equal('proxy.refused')
    await client.reload(clientConfig(portOf(server), [{ ...wrong, maxConnections: 12 }]))
    await until(() => server.proxies[0]?.spec['maxConnections'] === 12, 'the next reload tries again')
    expect(await says(port)).to.equal('two')
  })

  it('is taken back by a reload that forbids it: new hooks decide on published proxies too', async () => {
    const { client, server, port } = await world()
    const visitor = await opened(port)
    const deny = defineExtension({
      name: 'deny',
      setup: ({ hooks }) => hooks.onRegisterProxy.tap(() => ({ deny: 'not any more' }))
    })
    const received: (string | undefined)[] = []
    client.on('unpublished', (_proxy, error) => void received.push(error?.code))
    await server.reload(serverConfig({}, [deny()]))
    await until(() => received.length > 0, 'the client hears of it')
    expect(received).to.deep.equal(['proxy.refused'])
    await isOpen(visitor)
  })

  it('and taken back while its predecessor is closed is announced before it is gone, and no timer of it stays', async () => {
    let closing = (): void => {}
    let close = (): void => {}
    const closed = new Promise<void>((resolve) => {
      closing = resolve
    })
    const gate = new Promise<void>((resolve) => {
      close = resolve
    })
    const slow = defineExtension({
      name: 'slow',
      setup: ({ registries }) =>
        registries.proxies.add({
          kind: 'slow',
          spec: Type.Object({ step: Type.Number() }),
          reach: () => Promise.resolve(),
          publish: (spec) =>
            Promise.resolve({
              address: `${spec['step']}`,
              close: () => {
                if (spec['step'] !== 1) return Promise.resolve()
                closing()
                return gate
              }
            })
        })
    })
    const timers = new Set<number>()
    const clock = {
      now: () => Date.now(),
      after: (ms: number, fn: () => void) => {
        const timer = setTimeout(fn, ms)
        timers.add(ms)
        return () => {
          clearTimeout(timer)
          timers.delete(ms)
        }
      }
    }
    const server = await startServer({}, [slow()], { clock })
    const entry = (step: number) => ({ name: 'x', kind: 'slow', step, expiresIn: 1_000_000 + step })
    const client = await startClient(portOf(server), [entry(1)], {}, [slow()])
    const events: string[] = []
    server.on('published', ({ address }) => void events.push(`published ${address}`))
    server.on('unpublished', ({ address }) => void events.push(`unpublished ${address}`))
    const updated = codeOf(client.update(entry(2)))
    await closed
    const [proxy] = [...server.runtime.proxies()]
    proxy?.close()
    close()
    expect(await updated).to.equal('proxy.refused')
    expect(events).to.deep.equal(['published 2', 'unpublished 2'])
    expect([...timers].filter((ms) => ms >= 1_000_000 && ms < 1_000_010)).to.deep.equal([])
    expect(server.proxies).to.deep.equal([])
  })
})
