import { expect } from 'chai'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type { Client } from '@rystra/client'
import type { ProxyEntry } from '@rystra/config'
import { defineExtension, type RystraError, Type } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import { FakeClock } from '@rystra/testkit'
import {
  cleanUp,
  clientConfig,
  echo,
  failure,
  makeClient,
  otherToken,
  portOf,
  readAll,
  serverConfig,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const answers = async (client: Client, name: string): Promise<string> => {
  const socket = await visit(visitorPort(client, name))
  socket.end(name)
  return (await readAll(socket)).toString()
}

describe('publishing on a live session', () => {
  afterEach(cleanUp)

  it('of what another client has resolves to nothing, says so, and is done as soon as it is free', async () => {
    const server = await startServer()
    const local = await startService(echo)
    const holder = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local }], { token: otherToken })
    const port = visitorPort(holder, 'x')
    const client = await startClient(portOf(server), [], { id: 'second' })
    const refused = once(client, 'refused')
    expect(await client.publish({ name: 'y', kind: 'tcp', local, port })).to.deep.equal([])
    const [{ error, name, retryIn }] = await refused
    expect([error.code, name, error.retryable]).to.deep.equal(['proxy.port-taken', 'y', true])
    expect(retryIn).to.be.a('number')
    const published = once(client, 'published')
    await holder.stop({ drain: 0 })
    expect((await published)[0]).to.include({ name: 'y' })
    expect(await answers(client, 'y')).to.equal('y')
  })

  it('rejects what is refused for good, and forgets it', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [])
    expect(await failure(client.publish({ name: 'x', kind: 'tcp', local: 1, port: 80 }))).to.include({
      code: 'proxy.port-not-allowed'
    })
    const [published] = await client.publish({ name: 'x', kind: 'tcp', local: 1 })
    expect(published?.name).to.equal('x')
  })

  it('without a session resolves to nothing, and is done when there is one', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [])
    const lost = once(client, 'disconnected')
    const port = portOf(server)
    await server.stop({ drain: 0 })
    await lost
    expect(await client.publish({ name: 'x', kind: 'tcp', local: 1 })).to.deep.equal([])
    const published = once(client, 'published')
    await startServer({ listen: [{ transport: 'tcp', host: '127.0.0.1', port }] })
    expect((await published)[0]).to.include({ name: 'x' })
  })

  it('knows a range by its entry after a reload, too', async () => {
    const server = await startServer()
    const range = (to: number): ProxyEntry => ({ name: 'r', kind: 'tcp', local: `127.0.0.1:4000-${to}` })
    const client = await startClient(portOf(server), [range(4000)])
    await client.reload(clientConfig(portOf(server), [range(4002)]))
    await until(() => client.proxies.length === 3)
    await client.update(range(4001))
    expect(client.proxies.map(({ name }) => name)).to.have.members(['r:4000', 'r:4001'])
    client.unpublish('r')
    await until(() => server.proxies.length === 0)
  })

  it('of a change that is refused leaves what was there, with the time it had left', async () => {
    const server = await startServer()
    const specs: Record<string, unknown>[] = []
    server.on('published', ({ spec }) => specs.push(spec))
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: 1, expiresIn: '1h' }])
    await until(() => specs.length === 1)
    const before = Date.now()
    await until(() => Date.now() > before)
    const error = await failure(client.update({ name: 'x', kind: 'tcp', local: 1, port: 80 }))
    expect(error).to.include({ code: 'proxy.port-not-allowed' })
    expect([specs.length, client.proxies.length]).to.deep.equal([1, 1])
    await client.update({ name: 'x', kind: 'tcp', local: 1, expiresIn: '30m' })
    expect(specs.map(({ expiresIn }) => Math.round(Number(expiresIn) / 60_000))).to.deep.equal([60, 30])
  })
})

/** A kind whose publishing waits until it is released. */
const waiting = () => {
  const gates: (() => void)[] = []
  const use = defineExtension({
    name: 'waiting',
    setup: ({ registries }) =>
      registries.proxies.add({
        kind: 'waiting',
        spec: Type.Object({}),
        publish: async () => {
          await new Promise<void>((resolve) => gates.push(resolve))
          return { address: 'somewhere' }
        },
        reach: async () => {}
      })
  })()
  return { use, gates }
}

describe('a proxy whose session ends while it is published', () => {
  afterEach(cleanUp)

  it('is reported as refused, and not as taken back as well', async () => {
    const { use, gates } = waiting()
    const reported: string[] = []
    const teller = defineExtension({
      name: 'teller',
      setup: ({ hooks }) => {
        hooks.onPublished.tap(() => void reported.push('published'))
        hooks.onUnregisterProxy.tap(() => void reported.push('unregistered'))
        hooks.onRefused.tap(({ what }) => void reported.push(`refused ${what}`))
      }
    })()
    const server: Server = await startServer({}, [use, teller])
    server.on('unpublished', () => reported.push('unpublished'))
    const client = await makeClient(portOf(server), [{ name: 'x', kind: 'waiting' }], {}, [use])
    void client.start().catch(() => {})
    await until(() => gates.length === 1)
    const gone = once(server, 'disconnected')
    await client.stop({ drain: 0 })
    await gone
    gates[0]?.()
    await until(() => reported.length > 0)
    for (let count = 0; count < 10; count += 1) await turn()
    expect(reported).to.deep.equal(['refused proxy'])
    expect(server.proxies).to.deep.equal([])
  })
})

/** A kind that closes what the server closes for it. */
const careless = () =>
  defineExtension({
    name: 'careless',
    setup: ({ registries }) =>
      registries.proxies.add({
        kind: 'careless',
        spec: Type.Object({}),
        publish: async (_spec, host) => {
          const { address, socket } = await host.listenUdp({})
          host.signal.addEventListener('abort', () => socket.close())
          return {
            address: `${address.host}:${address.port}`,
            close: () => {
              throw new Error('a fault of the kind')
            }
          }
        },
        reach: async () => {}
      })
  })()

describe('a proxy that the server takes back', () => {
  afterEach(cleanUp)

  it('while its client puts another in its place, does not take that one along', async () => {
    const clock = new FakeClock()
    const heartbeat = { interval: '2h', timeout: '4h' }
    const server = await startServer({ heartbeat }, [], { clock })
    const local = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local, expiresIn: '1h' }])
    const updating = client.update({ name: 'x', kind: 'tcp', local })
    // The server has not heard of that yet.
    clock.advance(3_600_000)
    expect((await updating).map(({ name }) => name)).to.deep.equal(['x'])
    expect(await answers(client, 'x')).to.equal('x')
    expect(client.proxies).to.have.length(1)
  })

  it('is gone whatever its kind does', async () => {
    const server = await startServer({}, [careless()])
    const client = await startClient(portOf(server), [], {}, [careless()])
    for (let round = 0; round < 3; round += 1) {
      const [published] = await client.publish({ name: 'x', kind: 'careless' })
      expect(published?.name).to.equal('x')
      const gone = once(server, 'unpublished')
      client.unpublish('x')
      await gone
    }
  })

  it('while it is being published, is published again by what the reload brought', async () => {
    const first = waiting()
    const takeoverTimeout = 100
    const server = await startServer({ takeoverTimeout }, [first.use])
    const clientSide = waiting()
    const client = await makeClient(portOf(server), [{ name: 'x', kind: 'waiting' }], {}, [clientSide.use])
    const refused: RystraError[] = []
    client.on('refused', ({ error }) => refused.push(error))
    const starting = client.start()
    await until(() => first.gates.length === 1)
    const second = waiting()
    await server.reload(serverConfig({ takeoverTimeout }, [second.use]))
    first.gates[0]?.()
    await starting
    await until(() => second.gates.length === 1)
    second.gates[0]?.()
    await until(() => server.runtime.events.since(0)?.at(-1)?.type === 'proxy.changed')
    expect([client.proxies.length, refused.length]).to.deep.equal([1, 0])
  })
})

describe('the client half of a kind', () => {
  afterEach(cleanUp)

  it('is told by its signal that a visitor is gone, also while it serves it', async () => {
    let gone = false
    let served = false
    const kind = defineExtension({
      name: 'serving',
      setup: ({ registries }) =>
        registries.proxies.add({
          kind: 'serving',
          spec: Type.Object({}),
          publish: async (_spec, host) => {
            const { host: at, port } = await host.listen({}, (visitor) => {
              const { remoteAddress = '', remotePort = 0 } = visitor
              host.relay(visitor, { host: remoteAddress, port: remotePort, to: { host: at, port } })
            })
            return { address: `${at}:${port}` }
          },
          reach: async (_spec, host) => {
            host.signal.addEventListener('abort', () => {
              gone = true
            })
            host.accept().resume()
            served = true
          }
        })
    })()
    const server = await startServer({}, [kind])
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'serving' }], {}, [kind])
    const visitor = await visit(visitorPort(client, 'x'))
    await until(() => served)
    expect(gone).to.equal(false)
    visitor.resetAndDestroy()
    await until(() => gone)
  })
})
