import type { Client } from '@rystra/client'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { once } from 'node:events'
import type net from 'node:net'
import { type DirectoryClaim, type DirectoryRow, silentLog } from '@rystra/plugin'
import { askAt, ClusterWorld } from './cluster-world.js'
import {
  cleanUp,
  echo,
  freePort,
  makeClient,
  otherToken,
  portOf,
  startClient,
  startService,
  until,
  visitorPort
} from './tunnel.js'

const A = '127.0.0.1'
const B = '127.0.0.2'

/** A service that answers its name and what it is sent. */
const named =
  (name: string) =>
  (socket: net.Socket): void => {
    socket.write(`${name} `)
    socket.pipe(socket)
  }

const answersAt = (host: string, port: number, answer: string): Promise<void> =>
  until(async () => (await askAt(host, port, 'x')) === `${answer} x`, `${answer} at ${host}`)

describe('servers that act as one', () => {
  afterEach(cleanUp)

  const two = async (): Promise<{ world: ClusterWorld; a: Server; b: Server }> => {
    const world = await ClusterWorld.open()
    return { world, a: await world.start('a'), b: await world.start('b') }
  }
  const publish = async (server: Server, name: string, client: Parameters<typeof startClient>[2] = {}, port = 0) =>
    startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: await startService(named(name)), port }], client)

  it('serve a visitor at each of them', async () => {
    const { a } = await two()
    const port = visitorPort(await publish(a, 'one'), 'x')
    for (const host of [A, B]) await answersAt(host, port, 'one')
  })

  it('say who is there, and who is no more', async () => {
    const { a, b } = await two()
    const members = (): unknown => a.runtime.stats().cluster?.members.map(({ name, self }) => ({ name, self }))
    await until(() => (members() as unknown[]).length === 2, 'both to be known')
    expect(members()).to.deep.equal([
      { name: 'a', self: true },
      { name: 'b', self: false }
    ])
    expect(a.runtime.stats().cluster).to.include({ name: 'a', state: 'up', forwarded: 0 })
    await b.stop({ drain: 0 })
    await until(() => (members() as unknown[]).length === 1, 'the one that stopped to be gone')
  })

  it('publish what was there before they came, and no more what is gone', async () => {
    const world = await ClusterWorld.open()
    const client = await publish(await world.start('a'), 'one')
    const port = visitorPort(client, 'x')
    await world.start('b')
    await answersAt(B, port, 'one')
    await client.stop({ drain: 0 })
    await until(async () => (await askAt(B, port, 'x')) === undefined, 'the port of a proxy that is gone to close')
  })

  it('give a port to one of two tenants, and do not tell the other whose it is', async () => {
    const { a, b } = await two()
    const port = visitorPort(await publish(a, 'one'), 'x')
    const other = await makeClient(portOf(b), [{ name: 'y', kind: 'tcp', local: 1, port }], {
      token: otherToken,
      id: 'other'
    })
    const refused = once(other, 'refused')
    await other.start()
    const [{ error }] = await refused
    expect([error.code, error.message]).to.satisfy(
      ([code, message]: string[]) => code === 'proxy.port-taken' && !message?.includes('test')
    )
    await answersAt(B, port, 'one')
  })

  it('move what a client has when it comes to another of them', async () => {
    const { a, b } = await two()
    const first = await publish(a, 'one')
    const port = visitorPort(first, 'x')
    const replaced = once(first, 'disconnected')
    await publish(b, 'two', {}, port)
    for (const host of [A, B]) await answersAt(host, port, 'two')
    expect((await replaced)[1]).to.have.property('code', 'session.replaced')
    expect([a.sessions.length, b.sessions.length]).to.deep.equal([0, 1])
  })

  it('ask the engine once for each name of a client that comes from another of them', async () => {
    const world = await ClusterWorld.open()
    const claimed: string[] = []
    const open = world.directory.open.bind(world.directory)
    world.directory.open = (options) => {
      const session = open(options)
      const claim = session.claim.bind(session)
      return Object.assign(session, {
        claim: (row: DirectoryClaim) => {
          if (options.name === 'b') claimed.push(row.key.split(' ', 1)[0] ?? '')
          return claim(row)
        }
      })
    }
    const [a, b] = [await world.start('a'), await world.start('b')]
    const port = visitorPort(await publish(a, 'one'), 'x')
    await until(() => [...(b.runtime.cluster?.proxies() ?? [])].length === 1, 'the proxy to be known at b')
    await publish(b, 'two', {}, port)
    await answersAt(A, port, 'two')
    expect(claimed.sort()).to.deep.equal(['claim', 'client', 'proxy'])
  })

  it('keep sessions of one client with several of them side by side', async () => {
    const { a, b } = await two()
    const port = await freePort()
    const servers = [a, b].map((server) => `127.0.0.1:${portOf(server)}`)
    const local = await startService(named('one'))
    const client = await startClient(portOf(a), [{ name: 'x', kind: 'tcp', local, port }], {
      connect: { transport: 'tcp', servers },
      redundancy: 2
    })
    await until(() => client.proxies.filter(({ name }) => name === 'x').length > 0 && b.proxies.length === 1, 'both')
    for (const host of [A, B]) await answersAt(host, port, 'one')
    expect([a.sessions.length, b.sessions.length, a.proxies.length, b.proxies.length]).to.deep.equal([1, 1, 1, 1])
    await a.stop({ drain: 0 })
    for (let visit = 0; visit < 5; visit += 1) expect(await askAt(B, port, 'x')).to.equal('one x')
  })

  it('ask a holder on another server, and leave it what it has when its client answers', async () => {
    const { a, b } = await two()
    const port = visitorPort(await publish(a, 'one'), 'x')
    const other = await makeClient(portOf(b), [{ name: 'x', kind: 'tcp', local: 1, port }], { id: 'second' })
    const refused = once(other, 'refused')
    await other.start()
    const [{ error }] = await refused
    expect([error.code, error.message]).to.satisfy(
      ([code, message]: string[]) => code === 'proxy.port-taken' && message?.includes('by proxy x of client test')
    )
    await answersAt(B, port, 'one')
  })

  it('share the visitors of a group among its members on both', async () => {
    const { a, b } = await two()
    const member = async (server: Server, name: string, port: number): Promise<Client> =>
      startClient(
        portOf(server),
        [{ name: 'x', kind: 'tcp', local: await startService(named(name)), port, group: 'g' }],
        {
          id: name
        }
      )
    const port = visitorPort(await member(a, 'one', 0), 'x')
    const second = await member(b, 'two', port)
    for (const host of [A, B]) for (const name of ['one', 'two']) await answersAt(host, port, name)
    await second.stop({ drain: 0 })
    for (let visit = 0; visit < 4; visit += 1) await answersAt(A, port, 'one')
  })

  it('bind the ports of proxies where publish.on says', async () => {
    const world = await ClusterWorld.open()
    const a = await world.start('a', { server: { publish: { on: ['b'] } } })
    await world.start('b', { server: { publish: { on: ['b'] } } })
    await world.start('c', { server: { publish: { on: 'any' } } })
    const port = visitorPort(await publish(a, 'one'), 'x')
    await answersAt(B, port, 'one')
    expect([await askAt(A, port, 'x'), await askAt('127.0.0.3', port, 'x')]).to.deep.equal([undefined, undefined])
  })

  it('send clients to each other when one drains, and refuse no visitor meanwhile', async () => {
    const world = await ClusterWorld.open()
    const port = await freePort()
    const [portA, portB] = [await freePort(), await freePort()]
    const start = (name: string, listen: number): Promise<Server> =>
      world.start(name, {
        cluster: { public: `127.0.0.1:${listen}` },
        server: { listen: [{ transport: 'tcp', host: '127.0.0.1', port: listen }] }
      })
    const [a, b] = [await start('a', portA), await start('b', portB)]
    const local = await startService(named('one'))
    const client = await startClient(portA, [{ name: 'x', kind: 'tcp', local, port }], {
      connect: { transport: 'tcp', servers: [`127.0.0.1:${portA}`, `127.0.0.1:${portB}`] }
    })
    await until(() => client.session !== undefined, 'a session')
    await answersAt(B, port, 'one')
    const [from, to] = a.sessions.length === 1 ? [a, b] : [b, a]
    const host = from === a ? B : A
    const stopped = from.stop({ drain: 10_000 })
    let done = false
    void stopped.then(() => {
      done = true
    })
    while (!done) expect(await askAt(host, port, 'x')).to.equal('one x')
    expect(to.sessions.length).to.equal(1)
  })

  it('release their names at a stop, at once', async () => {
    const { a, b } = await two()
    const port = visitorPort(await publish(a, 'one'), 'x')
    await answersAt(B, port, 'one')
    await a.stop({ drain: 0 })
    await publish(b, 'two', { token: otherToken, id: 'other' }, port)
    await answersAt(B, port, 'two')
  })
})

describe('a cluster whose directory is away', () => {
  afterEach(cleanUp)

  const lease = 300
  const cluster = { lease, grace: 60_000 }
  const start = async (fields: object = cluster) => {
    const world = await ClusterWorld.open()
    const [a, b] = [await world.start('a', { cluster: fields }), await world.start('b', { cluster: fields })]
    const local = await startService(named('one'))
    const client = await startClient(portOf(a), [{ name: 'x', kind: 'tcp', local }])
    const port = visitorPort(client, 'x')
    await answersAt(B, port, 'one')
    return { world, a, b, client, port }
  }

  it('serves the names last known, refuses new ones, and comes back by itself', async () => {
    const { world, b, port } = await start()
    world.directory.away = true
    const other = await makeClient(portOf(b), [{ name: 'y', kind: 'tcp', local: await startService(named('two')) }], {
      id: 'other'
    })
    const refused = once(other, 'refused')
    await other.start()
    const [{ error }] = await refused
    expect([error.code, error.retryable]).to.deep.equal(['cluster.unavailable', true])
    for (const host of [A, B]) await answersAt(host, port, 'one')
    const published = once(other, 'published')
    world.directory.away = false
    await published
    await answersAt(A, visitorPort(other, 'y'), 'two')
  })

  it('serves nothing when it is away for longer than the configuration allows', async () => {
    const { world, client, port } = await start({ lease, grace: 300 })
    world.directory.away = true
    for (const host of [A, B]) {
      await until(async () => (await askAt(host, port, 'x')) === undefined, 'a server that is fenced to serve nothing')
    }
    // Visitors are refused at once, proxies taken back with the next renewal: they may be published again, or still be.
    world.directory.away = false
    for (const host of [A, B]) {
      const served = async (): Promise<boolean> =>
        client.proxies.length > 0 && (await askAt(host, visitorPort(client, 'x'), 'x')) === 'one x'
      await until(served, `one at ${host}`)
    }
  })

  it('claims everything again when it was restarted without its data, and gives nothing to others meanwhile', async () => {
    const { world, b, port } = await start()
    const other = await startClient(portOf(b), [], { token: otherToken, id: 'other' })
    world.directory.restart()
    expect(await other.publish({ name: 'y', kind: 'tcp', local: 1, port })).to.deep.equal([])
    for (let visit = 0; visit < 10; visit += 1) for (const host of [A, B]) await answersAt(host, port, 'one')
  })

  it('refuses rows that were written by hand', async () => {
    const { world, b, client, port } = await start()
    const victim = await startClient(portOf(b), [{ name: 'v', kind: 'tcp', local: await startService(echo) }], {
      id: 'v'
    })
    const seen: unknown[] = []
    const session = world.directory.open({
      cluster: 'rystra',
      name: 'rogue',
      instance: 'rogue',
      value: { host: '127.0.0.1', port: 1 },
      lease: 60_000,
      grace: 0,
      clock: { now: () => Date.now(), after: () => () => {} },
      log: silentLog
    })
    await session.join()
    await session.watch({
      snapshot: ({ rows }) => void seen.push(...rows),
      change: () => {}
    })
    const rows = seen as DirectoryRow[]
    const row = rows.find(({ id }) => id.endsWith('.x') && id.startsWith(client.session?.id ?? '?'))
    const victimPort = visitorPort(victim, 'v')
    // A row that says: what comes to the port of the victim is for this session.
    const value = row?.value as { spec: object; ports: number[] }
    await session.claim({
      key: `proxy ${row?.id}`,
      id: `${row?.id}`,
      owner: 'home',
      replace: [row?.fence ?? 0],
      value: { ...value, spec: { ...value.spec, port: victimPort }, ports: [victimPort] }
    })
    for (const key of ['proxy none', 'claim none', 'client none']) {
      await session.claim({ key, id: key, owner: 'home', value: { spec: 1 } })
    }
    await until(async () => (await askAt(B, victimPort, 'hello')) === 'hello', 'the victim to be served')
    expect(await askAt(A, victimPort, 'x')).to.be.oneOf([undefined, 'x'])
    expect(port).to.not.equal(victimPort)
  })
})
