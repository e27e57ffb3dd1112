import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import type { Client } from '@rystra/client'
import { cuttable } from './cuttable.js'
import {
  ask,
  cleanUp,
  failure,
  freePort,
  endOfVisit,
  later,
  makeClient,
  otherToken,
  portOf,
  refusal,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'
import { named, member, members, times, count } from './group-world.js'

describe('a group', () => {
  afterEach(cleanUp)

  it('shares one port, named or not, and takes turns', async () => {
    const server = await startServer()
    const clients = await members(server, ['a', 'b', 'c'])
    const ports = clients.map((client) => visitorPort(client, 'web'))
    expect(new Set(ports).size).to.equal(1)
    const answers = await times(9, () => ask(ports[0] as number))
    expect(count(answers)).to.deep.equal({ a: 3, b: 3, c: 3 })
  })

  it('goes on to another port together when the first is taken by another program', async () => {
    // A name, which takes a while to look up: long enough for the second to come to the port of the first.
    const taken = net.createServer().listen(0, 'localhost')
    await once(taken, 'listening')
    later(() => taken.close())
    const { port: busy } = taken.address() as net.AddressInfo
    const free = await freePort()
    const server = await startServer({ publish: { host: 'localhost', ports: [String(busy), String(free)] } })
    const a = await startClient(portOf(server), [], { id: 'a' })
    const b = await startClient(portOf(server), [], { id: 'b' })
    // Which of the two ports is tried first is left to chance.
    for (let round = 0; round < 12; round += 1) {
      const entry = { name: `web${round}`, kind: 'tcp', local: 1, group: 'web' }
      const published = await Promise.all([a, b].map((client) => client.publish(entry)))
      const ports = published.map(([one]) => one?.address.split(':').at(-1))
      expect(ports).to.deep.equal([String(free), String(free)])
      for (const client of [a, b]) client.unpublish(entry.name)
      await until(() => server.proxies.length === 0)
    }
  })

  it('may have several members at one client', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [
      { name: 'one', kind: 'tcp', local: await named('one'), group: 'web' },
      { name: 'two', kind: 'tcp', local: await named('two'), group: 'web' }
    ])
    expect(visitorPort(client, 'one')).to.equal(visitorPort(client, 'two'))
    expect(count(await times(4, () => ask(visitorPort(client, 'one'))))).to.deep.equal({ one: 2, two: 2 })
  })

  it('goes on when its first member leaves, and when the last one does the port is free', async () => {
    const server = await startServer()
    const [a, b] = await members(server, ['a', 'b'])
    const port = visitorPort(a as Client, 'web')
    const gone = once(server, 'unpublished')
    await a?.stop({ drain: 0 })
    await gone
    expect(count(await times(4, () => ask(port)))).to.deep.equal({ b: 4 })
    const back = await member(server, 'a')
    expect(visitorPort(back, 'web')).to.equal(port)
    expect(count(await times(4, () => ask(port)))).to.deep.equal({ a: 2, b: 2 })
    await b?.stop({ drain: 0 })
    await back.stop({ drain: 0 })
    await until(() => server.proxies.length === 0)
    expect(await refusal(port)).to.equal('ECONNREFUSED')
  })

  it('serves every visitor while members come and go', async () => {
    const server = await startServer()
    const keeper = await member(server, 'keeper')
    const port = visitorPort(keeper, 'web')
    let over = false
    const answers: string[] = []
    const visitors = Array.from({ length: 4 }, async () => {
      while (!over) answers.push(await ask(port))
    })
    for (let round = 0; round < 4; round += 1) {
      const passing = await member(server, 'passing')
      const seen = answers.length
      await until(() => answers.length > seen + 8)
      // A clean end: those that are open may finish.
      await passing.stop({ drain: 2000 })
    }
    over = true
    await Promise.all(visitors)
    expect(Object.keys(count(answers)).sort()).to.deep.equal(['keeper', 'passing'])
  })

  it('sends visitors to the member with the fewest streams', async () => {
    const server = await startServer()
    const policy = { group: { name: 'web', policy: 'least-connections' } }
    const hold = async (id: string): Promise<number> => startService((socket) => void socket.write(id))
    const a = await member(server, 'a', policy, await hold('a'))
    await member(server, 'b', policy, await hold('b'))
    const port = visitorPort(a, 'web')
    const open = async (): Promise<{ id: string; socket: net.Socket }> => {
      const socket = await visit(port)
      return { id: String((await once(socket, 'data'))[0]), socket }
    }
    const first = await times(4, open)
    expect(count(first.map(({ id }) => id))).to.deep.equal({ a: 2, b: 2 })
    for (const { id, socket } of first) if (id === 'a') socket.resetAndDestroy()
    await until(() => server.streams === 2)
    expect((await times(2, open)).map(({ id }) => id)).to.deep.equal(['a', 'a'])
  })

  it('keeps an address with one member, and moves only those of a member that leaves', async () => {
    const server = await startServer()
    const clients = await members(server, ['a', 'b', 'c'], { group: { name: 'web', policy: 'sticky' } })
    const port = visitorPort(clients[0] as Client, 'web')
    const from = async (last: number): Promise<string> => {
      const socket = net.connect({ host: '127.0.0.1', port, localAddress: `127.0.0.${last}` })
      later(() => socket.destroy())
      return (await readAll(socket)).toString()
    }
    const addresses = Array.from({ length: 24 }, (_, index) => index + 2)
    const before = new Map<number, string>()
    for (const last of addresses) before.set(last, await from(last))
    expect(new Set(before.values()).size).to.equal(3)
    for (const last of addresses) expect(await from(last)).to.equal(before.get(last))
    const gone = once(server, 'unpublished')
    await clients[1]?.stop({ drain: 0 })
    await gone
    for (const last of addresses) {
      const now = await from(last)
      if (before.get(last) !== 'b') expect(now).to.equal(before.get(last))
      else expect(['a', 'c']).to.include(now)
    }
  })

  it('spreads at random', async () => {
    const server = await startServer()
    const [a] = await members(server, ['a', 'b'], { group: { name: 'web', policy: 'random' } })
    const answers = count(await times(60, () => ask(visitorPort(a as Client, 'web'))))
    expect(Object.keys(answers).sort()).to.deep.equal(['a', 'b'])
  })

  it('asks another member when the service of one cannot be reached, and the visitor sees none of it', async () => {
    const server = await startServer()
    const dead = await freePort()
    const broken = await member(server, 'broken', {}, dead)
    await member(server, 'well')
    const answers = await times(6, () => ask(visitorPort(broken, 'web')))
    expect(count(answers)).to.deep.equal({ well: 6 })
  })

  it('asks another member when one is cut off and does not know it', async () => {
    const server = await startServer({ takeoverTimeout: 200 })
    const line = await cuttable(portOf(server))
    const cut = await makeClient(line.port, [{ name: 'web', kind: 'tcp', local: await named('cut'), group: 'web' }], {
      id: 'cut'
    })
    await cut.start()
    await member(server, 'well')
    const port = visitorPort(cut, 'web')
    line.swallow()
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask(port)))
    expect(count(answers)).to.deep.equal({ well: 4 })
    await until(() => server.sessions.length === 1)
  })

  it('takes no member of another identity, and none that has another policy', async () => {
    const server = await startServer()
    const port = await freePort()
    await member(server, 'a', { port })
    const office = await makeClient(portOf(server), [], {
      id: 'b',
      token: otherToken,
      reconnect: { min: 20, max: 50 }
    })
    await office.start()
    const refused = once(office, 'refused')
    void office.publish({ name: 'web', kind: 'tcp', local: 1, group: 'web', port }).catch(() => {})
    expect((await refused)[0].error).to.include({ code: 'proxy.port-taken' })
    expect((await refused)[0].error.message).to.not.include('client a')
    // Without a port it gets one of its own.
    const [own] = await office.publish({ name: 'own', kind: 'tcp', local: 1, group: 'web' })
    expect(own?.address).to.not.include(String(port))

    const other = await startClient(portOf(server), [], { id: 'c' })
    const disagrees = once(other, 'refused')
    void other
      .publish({ name: 'web', kind: 'tcp', local: 1, group: { name: 'web', policy: 'random' }, port })
      .catch(() => {})
    expect((await disagrees)[0].error.message).to.include('the policy round-robin')
    for (const group of [{ name: 'web', policy: 'fastest' }, { name: '' }, 7, { policy: 'random' }]) {
      expect(await failure(other.publish({ name: 'x', kind: 'tcp', local: 1, group }))).to.include({
        code: 'proxy.invalid'
      })
    }
  })

  it('resets visitors when no member can serve, and tells of it', async () => {
    const server = await startServer()
    const dead = await freePort()
    const check = { type: 'tcp', interval: '100ms', timeout: '100ms' }
    const client = await member(server, 'a', { healthCheck: check }, dead)
    const refused = once(server, 'refused')
    expect(await endOfVisit(visitorPort(client, 'web'))).to.equal('ECONNRESET')
    expect((await refused)[0]).to.deep.include({ what: 'stream' })
    expect((await refused)[0].error).to.include({ code: 'stream.no-member' })
  })
})
