import { once } from 'node:events'
import type { RystraError } from '@rystra/model'
import { defineExtension } from '@rystra/plugin'
import { expect } from 'chai'
import {
  ask,
  cleanUp,
  clientConfig,
  echo,
  freePort,
  listens,
  portOf,
  readAll,
  serverConfig,
  startClient,
  startServer,
  startService,
  turns,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const failure = (promise: Promise<unknown>): Promise<RystraError | undefined> =>
  promise.then(
    () => undefined,
    (error: RystraError) => error
  )

const at = (...ports: number[]) =>
  serverConfig({ listen: ports.map((port) => ({ transport: 'tcp', host: '127.0.0.1', port })) })

describe('reloads of a server', () => {
  afterEach(cleanUp)

  it('that come at once end as if they had come one after the other', async () => {
    const [a, b, c] = [await freePort(), await freePort(), await freePort()]
    const server = await startServer(at(a).server)
    await Promise.all([
      server.reload(at(a, b)),
      server.reload(at(a, b, c)),
      server.reload(at(b, c)),
      server.reload(at(c, b))
    ])
    expect(server.listening.map(({ port }) => port)).to.deep.equal([c, b])
    expect([await listens(a), await listens(b), await listens(c)]).to.deep.equal([false, true, true])
    await server.stop({ drain: 0 })
    expect([await listens(a), await listens(b), await listens(c)]).to.deep.equal([false, false, false])
  })

  it('with nothing in them are refused, and everything is as before', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'svc', kind: 'tcp', local: service }])
    for (const half of [{}, { extensions: [] }, { client: clientConfig(1, []).client }] as never[]) {
      const error = await failure(server.reload(half))
      expect([error?.code, error?.detail?.slice(0, 16)]).to.deep.equal(['config.invalid', 'server: expected'])
    }
    const throwing = {
      get server(): never {
        throw new Error('read')
      }
    }
    for (const odd of [
      null,
      5,
      'text',
      [],
      new Map(),
      () => {},
      { server: null },
      { server: [] },
      throwing
    ] as never[]) {
      expect((await failure(server.reload(odd)))?.code, String(odd)).to.equal('config.invalid')
      expect((await failure(client.reload(odd)))?.code, String(odd)).to.equal('config.invalid')
    }
    expect(await failure(client.reload({}))).to.include({ code: 'config.invalid' })
    expect(await ask(visitorPort(client, 'svc'), 'still')).to.equal('still')
    expect(server.sessions).to.have.length(1)
  })

  it('that are overtaken by a stop leave nothing that listens, at whatever moment', async () => {
    for (let moment = 0; moment < 10; moment += 1) {
      const [a, b] = [await freePort(), await freePort()]
      const server = await startServer(at(a).server)
      const reloaded = failure(
        server.reload(serverConfig({ listen: [{ transport: 'tcp', host: 'localhost', port: b }] }))
      )
      await turns(moment)
      await server.stop({ drain: 0 })
      await reloaded
      expect([await listens(a), await listens(b)], String(moment)).to.deep.equal([false, false])
      expect(server.listening).to.deep.equal([])
    }
  })

  it('that fail at any step leave everything as it was', async () => {
    const port = await freePort()
    const server = await startServer(at(port).server)
    const service = await startService(echo)
    const client = await startClient(port, [{ name: 'a', kind: 'tcp', local: service }])
    const broken = (step: 'setup' | 'start') =>
      defineExtension({
        name: 'broken',
        setup() {
          if (step === 'setup') throw new Error('no')
          return {
            start() {
              throw new Error('no')
            }
          }
        }
      })
    const taken = await startService(echo)
    const spare = await freePort()
    for (const config of [
      { ...at(port), server: { listen: [] } },
      serverConfig(at(port).server, [broken('setup')() as never]),
      serverConfig(at(port).server, [broken('start')() as never]),
      serverConfig({ listen: [{ transport: 'carrier-pigeon', host: 'x', port: 1 }] }),
      at(port, spare, taken)
    ]) {
      expect(await failure(server.reload(config as never))).to.be.an('error')
      expect(server.listening.map((one) => one.port)).to.deep.equal([port])
      expect(await listens(spare)).to.equal(false)
      expect(await ask(visitorPort(client, 'a'), 'unharmed')).to.equal('unharmed')
    }
  })

  it('touch no stream, while bytes flow and extensions come and go', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'a', kind: 'tcp', local: service }])
    const watcher = defineExtension({ name: 'watcher', setup: ({ hooks }) => hooks.onData.tap(() => undefined) })
    const body = Buffer.alloc(16 * 1024 * 1024, 'abcdefg')
    const sockets = await Promise.all(Array.from({ length: 4 }, () => visit(visitorPort(client, 'a'))))
    const answers = sockets.map(readAll)
    for (const socket of sockets) socket.end(body)
    for (let round = 0; round < 6; round += 1) {
      await server.reload(serverConfig({}, round % 2 === 0 ? [watcher() as never] : []))
      await turns(3)
    }
    for (const answer of await Promise.all(answers)) expect(answer.equals(body)).to.equal(true)
    expect(client.proxies).to.have.length(1)
    await until(() => server.streams === 0)
    expect(server.kernel.inspect().generation).to.equal(7)
  })
})

describe('a reload of a client', () => {
  afterEach(cleanUp)

  it('with proxies that cannot be leaves everything as it was', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const good = { name: 'good', kind: 'tcp', local: service }
    const client = await startClient(portOf(server), [good])
    const before = client.kernel.inspect().generation
    for (const bad of [
      [good, { name: 'bad', kind: 'tcp', local: '127.0.0.1:5-1' }],
      [
        good,
        { name: 'r', kind: 'tcp', local: '127.0.0.1:1001-1002', port: '21001-21002' },
        { name: 'r:21001', kind: 'tcp', local: service }
      ]
    ]) {
      const error = await failure(client.reload(clientConfig(portOf(server), bad as never)))
      expect(error).to.be.an('error')
      expect(client.kernel.inspect().generation).to.equal(before)
      expect(client.proxies.map(({ name }) => name)).to.deep.equal(['good'])
      expect(server.proxies.map(({ spec }) => spec.name)).to.deep.equal(['good'])
    }
  })

  it('while it dials goes to where the new configuration says', async () => {
    const [old, next] = [await startServer(), await startServer()]
    const client = await startClient(portOf(old), [], { reconnect: { min: 1, max: 1 } })
    const away = once(client, 'disconnected')
    await Promise.all([
      client.reload(clientConfig(portOf(next), [])),
      client.reload(clientConfig(portOf(old), [])),
      client.reload(clientConfig(portOf(next), []))
    ])
    await away
    await until(() => next.sessions.length === 1 && old.sessions.length === 0)
  })

  it('publishes nothing of an entry of which a part cannot be', async () => {
    const server = await startServer({ publish: { ports: ['21000-21999'] } })
    const service = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'r:21502', kind: 'tcp', local: service }])
    const range = { name: 'r', kind: 'tcp', local: '127.0.0.1:1001-1003', port: '21501-21503' }
    expect((await failure(client.publish(range)))?.code).to.equal('proxy.name-taken')
    client.unpublish('r:21502')
    await client.publish(range).catch(() => {})
    expect(client.proxies.map(({ name }) => name).sort()).to.deep.equal(['r:21501', 'r:21502', 'r:21503'])
  })
})
