import { RystraError } from '@rystra/model'
import type { Runtime, RuntimeEvent } from '@rystra/plugin'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import {
  cleanUp,
  codeOf,
  echo,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  visit,
  visitorPort
} from './tunnel.js'

const typesOf = (events: readonly RuntimeEvent[] | undefined): string[] | undefined => events?.map(({ type }) => type)

describe('the runtime of both ends', () => {
  afterEach(cleanUp)

  const world = async () => {
    const server = await startServer()
    const local = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local }])
    return { server, client, ends: [server.runtime, client.runtime] as const }
  }

  const opened = async (port: number) => {
    const visitor = await visit(port)
    visitor.write('hello')
    await once(visitor, 'data')
    return visitor
  }

  it('finds what runs by its id, and streams have the same id at both', async () => {
    const { client, ends } = await world()
    await opened(visitorPort(client, 'x'))
    const ids = ends.map((end) => [...end.streams()].map(({ id }) => id))
    expect(ids[0]).to.have.length(1)
    expect(ids[0]).to.deep.equal(ids[1])
    for (const end of ends) {
      for (const stream of end.streams()) expect(end.stream(stream.id)).to.equal(stream)
      for (const session of end.sessions()) expect(end.session(session.id)).to.equal(session)
      for (const proxy of end.proxies()) expect(end.proxy(proxy.id)).to.equal(proxy)
      expect([end.stream('a.b'), end.stream(''), end.session('a'), end.proxy('a.x')]).to.deep.equal(
        Array.from({ length: 4 })
      )
    }
  })

  it('counts for the end, the listener, the session and the proxy, and keeps the counts of sessions that are over', async () => {
    const { server, client, ends } = await world()
    const [atServer] = ends
    const visitor = await opened(visitorPort(client, 'x'))
    const carried = { streams: 1, opened: 1, bytesToService: 5, bytesToVisitor: 5, sessions: 1, proxies: 1 }
    for (const end of ends) expect(end.stats()).to.include({ ...carried, sessionsOpened: 1, generation: 1 })
    const [listener, ...others] = [...atServer.listeners()]
    expect(others).to.deep.equal([])
    expect(listener?.info.port).to.equal(portOf(server))
    expect(listener?.stats()).to.deep.equal({ accepted: 1, open: 1, refused: {} })
    await client.stop({ drain: 0 })
    visitor.destroy()
    await until(() => listener?.stats().open === 0, 'its link is closed')
    const over = { streams: 0, opened: 1, bytesToService: 5, bytesToVisitor: 5, sessions: 0, sessionsOpened: 1 }
    for (const end of ends) expect(end.stats()).to.include(over)
  })

  it('counts refusals by code where they belong', async () => {
    const server = await startServer()
    const proxies = [{ name: 'x', kind: 'tcp', local: 1 }]
    const client = await startClient(portOf(server), proxies)
    const visitor = await visit(visitorPort(client, 'x'))
    visitor.on('error', () => {})
    const { runtime } = server
    await until(() => runtime.stats().refused['stream.service-unreachable'] === 1, 'the end has counted it')
    const [session] = [...runtime.sessions()]
    const [proxy] = [...runtime.proxies()]
    for (const one of [session, proxy]) expect(one?.stats().refused).to.deep.equal({ 'stream.service-unreachable': 1 })
    expect(await codeOf(client.publish({ name: 'y', kind: 'tcp', local: 1, port: 1 }))).to.equal(
      'proxy.port-not-allowed'
    )
    expect(session?.stats().refused['proxy.port-not-allowed']).to.equal(1)
    expect(runtime.stats().refused['proxy.port-not-allowed']).to.equal(1)
    const [listener] = [...runtime.listeners()]
    expect(await codeOf(startClient(portOf(server), [], { token: 'no-such-token-0123456789' }))).to.equal(
      'auth.refused'
    )
    expect(listener?.stats()).to.deep.equal({ accepted: 2, open: 1, refused: { 'auth.refused': 1 } })
  })

  it('numbers what happens, so that a reader goes on where it was, or takes a new snapshot', async () => {
    const { server, client, ends } = await world()
    const [{ events }] = ends
    expect(typesOf(events.since(0))).to.deep.equal(['listener.opened', 'session.opened', 'proxy.published'])
    const seen = events.sequence
    client.unpublish('x')
    await until(() => events.sequence > seen, 'it is recorded')
    expect(events.since(seen)?.map(({ type, sequence }) => [type, sequence])).to.deep.equal([['proxy.gone', seen + 1]])
    expect(events.since(events.sequence)).to.deep.equal([])
    for (const gone of [-1, 1.5, events.sequence + 1, Number.NaN]) expect(events.since(gone)).to.equal(undefined)
    // Taken or refused, each is an event.
    for (let n = 0; n < 1100; n += 1) await server.runtime.control.reload(serverConfig()).catch(() => {})
    expect(events.since(seen), 'pushed out by later ones').to.equal(undefined)
    expect(events.since(events.sequence - 1024)).to.have.length(1024)
    const kept = events.since(events.sequence - 1024)?.map(({ sequence }) => sequence) ?? []
    expect(kept).to.deep.equal(Array.from({ length: 1024 }, (_, n) => events.sequence - 1023 + n))
  })

  it('tells of streams to those that ask for them, and to no others', async () => {
    const { client, ends } = await world()
    for (const { events } of ends) {
      const received: string[][] = [[], []]
      const end = [{}, { streams: true }].map((options, n) =>
        events.subscribe(({ type }) => void received[n]?.push(type), options)
      )
      const before = events.sequence
      const visitor = await opened(visitorPort(client, 'x'))
      visitor.destroy()
      await until(() => received[1]?.includes('stream.closed') === true, 'the end of the stream is received')
      expect(received).to.deep.equal([[], ['stream.opened', 'stream.closed']])
      expect(events.sequence, 'streams have no numbers').to.equal(before)
      for (const stop of end) stop()
      const other = await opened(visitorPort(client, 'x'))
      expect(received[1]).to.have.length(2)
      other.destroy()
    }
  })

  it('goes on when a subscriber throws', async () => {
    const { client, ends } = await world()
    const received: string[] = []
    ends[0].events.subscribe(() => {
      throw new Error('on purpose')
    })
    ends[0].events.subscribe(({ type }) => void received.push(type))
    client.unpublish('x')
    await until(() => received.length > 0, 'the other one is received')
    expect(received).to.deep.equal(['proxy.gone'])
  })

  it('refuses what an end cannot do, with a code', async () => {
    const { ends } = await world()
    for (const { control } of ends) {
      expect(await codeOf(control.reload())).to.equal('control.unavailable')
      expect(await codeOf(control.plan())).to.equal('control.unavailable')
      expect(await codeOf(control.removeProxy('none'))).to.equal('control.not-found')
      expect(control.logLevel).to.equal(undefined)
      expect(() => control.setLogLevel('debug'))
        .to.throw(RystraError)
        .with.property('code', 'control.unavailable')
    }
  })

  it('plans without changing anything, and says what is wrong by path', async () => {
    const { server, ends } = await world()
    const { control, events } = ends[0] as Runtime
    const [before, number] = [control.revision, events.sequence]
    const same = await control.plan(serverConfig({ listen: [{ host: '127.0.0.1', port: 0 }] }))
    expect([same.problems, same.same, same.streams]).to.deep.equal([[], true, 0])
    const wrong = await control.plan({ server: { drain: -1, listen: [{ transport: 'qiuc' }] } })
    expect(wrong.problems.map(({ path, code }) => [path, code])).to.deep.equal([['server.drain', 'config.invalid']])
    const other = await control.plan(serverConfig({ limits: { sessions: 5 }, publish: { ports: ['1024-1025'] } }))
    const changed = other.items.filter(({ action }) => action !== 'keep')
    expect(changed.map(({ action, subject, name }) => [action, subject, name])).to.deep.equal([
      ['change', 'right', 'server.publish'],
      ['change', 'limit', 'server.limits.sessions'],
      ['remove', 'proxy', 'test/x']
    ])
    expect([control.revision, events.sequence, server.listening.length]).to.deep.equal([before, number, 1])
    const report = await control.reload(serverConfig({ limits: { sessions: 5 } }), { revision: before })
    expect(report.items.map(({ name }) => name)).to.deep.equal(['server.limits.sessions'])
    expect(control.revision).not.to.equal(before)
    expect(await codeOf(control.reload(serverConfig(), { revision: before }))).to.equal('control.conflict')
    expect(typesOf(events.since(number))).to.deep.equal(['reload.done'])
    expect(JSON.stringify(control.config())).not.to.include('a-token-for-tests')
  })

  it('drains: no more visitors, open streams may finish, and the rest goes on', async () => {
    const { server, client, ends } = await world()
    const port = visitorPort(client, 'x')
    const visitor = await opened(port)
    const draining = ends[0].control.drain({ timeout: 60_000, stop: true })
    await until(() => server.proxies.length === 0, 'nothing is published')
    visitor.write('still')
    await once(visitor, 'data')
    visitor.end()
    expect(await draining).to.deep.equal({ streams: 0 })
    await server.closed
  })

  for (const at of ['server', 'client'] as const) {
    it(`drains the ${at} no longer than the last call says`, async () => {
      const both = await world()
      const end = both[at]
      await opened(visitorPort(both.client, 'x'))
      const draining = end.runtime.control.drain({ timeout: 86_400_000 })
      const stopping = end.stop({ drain: 86_400_000 })
      await until(() => both.server.proxies.length === 0, 'nothing is published')
      expect(end.streams).to.equal(1)
      await end.stop({ drain: 0 })
      await stopping
      expect(await draining).to.deep.equal({ streams: 0 })
    })
  }

  it('adds to a client what a kind makes several of, and removes it by its name', async () => {
    const { client, ends } = await world()
    const { control } = ends[1]
    const range = { name: 'r', kind: 'tcp', local: '127.0.0.1:4000-4001' }
    expect((await control.addProxy(range)).info.spec.name).to.equal('r:4000')
    expect(client.proxies.map(({ name }) => name)).to.have.members(['x', 'r:4000', 'r:4001'])
    await control.removeProxy('r')
    expect(client.proxies.map(({ name }) => name)).to.deep.equal(['x'])
  })

  it('keeps no proxy of a client for its next start, and says so', async () => {
    const { client, ends } = await world()
    const adding = ends[1].control.addProxy({ name: 'y', kind: 'tcp', local: 1 }, undefined, { persist: true })
    expect(await codeOf(adding)).to.equal('control.unavailable')
    expect(client.proxies.map(({ name }) => name)).to.deep.equal(['x'])
  })

  it('finishes what its listeners are told of when one throws', async () => {
    const { server, client } = await world()
    for (const name of ['unpublished', 'disconnected'] as const) {
      server.on(name, () => {
        throw new Error('on purpose')
      })
    }
    await client.stop({ drain: 0 })
    await until(() => server.runtime.stats().sessions === 0, 'the session is over')
    const again = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: 1 }])
    again.unpublish('x')
    await until(() => server.proxies.length === 0, 'it is taken back')
    await server.stop({ drain: 0 })
  })
})
