import type { RystraError } from '@rystra/model'
import type { Clock } from '@rystra/plugin'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { echo, hello, hostOf, Servers } from './several-servers.js'
import { otherToken } from './tunnel.js'

describe('a client of several servers whose server drains', () => {
  let servers: Servers
  beforeEach(() => {
    servers = new Servers()
  })
  afterEach(() => servers.close())

  it('has its proxies at another one before the first takes them back', async () => {
    for (const host of ['a', 'b']) await servers.add(host)
    const client = await servers.client({ servers: ['a', 'b'] }, { services: { hello, echo } })
    await client.start()
    const from = hostOf(client.session?.server)
    const to = from === 'a' ? 'b' : 'a'
    const { server } = servers.get(from)
    const order: string[] = []
    servers.get(to).server.on('published', ({ spec }) => order.push(`published ${spec.name}`))
    server.on('unpublished', ({ spec }) => order.push(`unpublished ${spec.name}`))
    const long = servers.visit(from, 'echo')
    long.write('1')
    await once(long, 'data')
    const draining = server.drain({ timeout: 20_000, alternatives: [] })
    // Visitors are served as long as it drains.
    while (order.length < 4) {
      const host = order.includes('published hello') ? to : from
      expect(await text(servers.visit(host, 'hello').end())).to.equal('hello')
    }
    expect(order.slice(0, 2).sort()).to.deep.equal(['published echo', 'published hello'])
    long.write('2')
    expect(String((await once(long, 'data'))[0]), 'a stream goes on').to.equal('2')
    long.end()
    expect(await draining).to.deep.equal({ streams: 0 })
    expect(hostOf(client.session?.server)).to.equal(to)
    expect(client.sessions).to.have.length(1)
  })

  it('leaves its proxies there for a second: requests that the first has accepted are served', async () => {
    for (const host of ['a', 'b']) await servers.add(host)
    const held: (() => void)[] = []
    const clock: Clock = {
      now: () => Date.now(),
      after: (ms, done) => {
        if (ms === 1000) {
          held.push(done)
          return () => {}
        }
        const timer = setTimeout(done, ms)
        return () => clearTimeout(timer)
      }
    }
    const client = await servers.client({ servers: ['a', 'b'] }, { services: { hello }, options: { clock } })
    await client.start()
    const from = hostOf(client.session?.server)
    const { server } = servers.get(from)
    const before = held.length
    const published = once(servers.get(from === 'a' ? 'b' : 'a').server, 'published')
    const draining = server.drain({ timeout: 20_000, alternatives: [] })
    await published
    await until(() => held.length > before, 'the client to wait')
    expect(await text(servers.visit(from, 'hello').end())).to.equal('hello')
    const unpublished = once(server, 'unpublished')
    for (const done of held) done()
    await unpublished
    expect(await draining).to.deep.equal({ streams: 0 })
  })

  it('goes where the server points, if its configuration knows the place', async () => {
    for (const host of ['a', 'b', 'c']) await servers.add(host)
    servers.lose('b')
    servers.lose('c')
    const client = await servers.client({ servers: ['a', 'b', 'c'] }, { services: { hello } })
    await client.start()
    servers.find('b')
    servers.find('c')
    servers.dialed.length = 0
    const moved = once(client, 'connected')
    await servers.get('a').server.drain({ timeout: 20_000, alternatives: [{ host: 'c', port: 7000 }] })
    await moved
    expect(servers.dialed[0]).to.equal('c')
  })

  it('is not led to a place that its configuration does not know, unless a pin proves it', async () => {
    await servers.add('a')
    await servers.add('elsewhere')
    const point = [
      { host: 'elsewhere', port: 7000 },
      { host: 'a', port: 22 }
    ]
    const plain = await servers.client({ host: 'a' }, { services: { hello } })
    await plain.start()
    const reconnecting = once(plain, 'reconnecting')
    await servers.get('a').server.drain({ timeout: 600, alternatives: point })
    await reconnecting
    expect(servers.dialed).to.not.include('elsewhere')
    expect(servers.get('elsewhere').server.sessions).to.deep.equal([])
    await plain.stop({ drain: 0 })
    await servers.get('a').server.stop({ drain: 0 })

    await servers.add('a')
    const pinned = await servers.client({ host: 'a', pin: 'x' }, { services: { hello } })
    await pinned.start()
    const moved = once(pinned, 'connected')
    await servers.get('a').server.drain({ timeout: 20_000, alternatives: point })
    await moved
    expect(pinned.session?.server).to.equal('elsewhere:7000')
  })

  it('refuses alternatives that are no addresses', async () => {
    const { server } = await servers.add('a')
    for (const host of ['', 'a b', '\u202Eevil']) {
      const error = await server
        .drain({ timeout: 0, alternatives: [{ host, port: 1 }] })
        .catch((cause: unknown) => cause)
      expect((error as RystraError).code).to.equal('usage.invalid')
    }
  })

  it('finishes its streams and is gone when the time is over, whatever clients do', async () => {
    await servers.add('a')
    const client = await servers.client({ host: 'a' }, { services: { echo }, own: otherToken })
    await client.start()
    const { server } = servers.get('a')
    const visitor = servers.visit('a', 'echo')
    visitor.write('1')
    await once(visitor, 'data')
    expect(await server.drain({ timeout: 300, alternatives: [] })).to.deep.equal({ streams: 1 })
    expect(server.proxies).to.deep.equal([])
  })
})
