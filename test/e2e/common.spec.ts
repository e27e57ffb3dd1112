import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import type { Client } from '@rystra/client'
import type { ProxyEntry } from '@rystra/config'
import { defineExtension } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import { cuttable } from './cuttable.js'
import { rogueClient } from './rogue.js'
import {
  cleanUp,
  echo,
  failure,
  freePort,
  endOfVisit,
  later,
  makeClient,
  otherToken,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

type Fields = Record<string, unknown>

/** Sends its name to each visitor, and ends. */
const named = (name: string): Promise<number> => startService((socket) => void socket.end(name))

const ask = async (port: number): Promise<string> => {
  const visitor = await visit(port)
  visitor.end()
  return (await readAll(visitor)).toString()
}

const member = async (server: Server, id: string, fields: Fields = {}, local?: number): Promise<Client> =>
  startClient(
    portOf(server),
    [{ name: 'web', kind: 'tcp', local: local ?? (await named(id)), group: 'web', ...fields } as ProxyEntry],
    {
      id
    }
  )

const members = async (server: Server, ids: readonly string[], fields: Fields = {}): Promise<Client[]> => {
  const made: Client[] = []
  for (const id of ids) made.push(await member(server, id, fields))
  return made
}

const times = async <Value>(count: number, make: () => Promise<Value>): Promise<Value[]> => {
  const values: Value[] = []
  for (let index = 0; index < count; index += 1) values.push(await make())
  return values
}

const count = (answers: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}

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
    expect((await failure(visit(port))).message).to.include('ECONNREFUSED')
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
      // In good order: those that are open may finish.
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

describe('a health check', () => {
  afterEach(cleanUp)

  const check = (fields: object): Fields => ({ healthCheck: { interval: 100, timeout: 100, failures: 2, ...fields } })

  it('takes a member out, also one whose check hangs, and brings it back', async () => {
    const server = await startServer()
    let mood: 'well' | 'ill' | 'silent' = 'well'
    const service = http.createServer((request, response) => {
      if (request.url !== '/health') response.end('one')
      else if (mood !== 'silent') response.writeHead(mood === 'well' ? 204 : 503).end()
    })
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    later(() => service.close())
    later(() => service.closeAllConnections())
    const local = (service.address() as net.AddressInfo).port
    const one = await member(server, 'one', check({ type: 'http', path: '/health' }), local)
    await member(server, 'two')
    const port = visitorPort(one, 'web')
    const answerOf = async (): Promise<string> => {
      const socket = await visit(port)
      socket.end('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
      return (await readAll(socket)).toString().split('\r\n').at(-1) ?? ''
    }
    const both = async (): Promise<void> => {
      for (;;) if (new Set(await times(4, answerOf)).size === 2) return
    }
    const onlyTwo = async (): Promise<void> => {
      for (;;) if ((await times(4, answerOf)).every((answer) => answer === 'two')) return
    }
    await both()
    mood = 'ill'
    await onlyTwo()
    mood = 'well'
    await both()
    mood = 'silent'
    await onlyTwo()
    mood = 'well'
    await both()
  })

  it('of a proxy without a group keeps visitors away from a service that is down', async () => {
    const server = await startServer()
    const dead = await freePort()
    const client = await startClient(portOf(server), [
      { name: 'x', kind: 'tcp', local: dead, ...check({}) } as ProxyEntry
    ])
    const port = visitorPort(client, 'x')
    expect(await endOfVisit(port)).to.equal('ECONNRESET')
    const service = net.createServer((socket) => socket.on('error', () => {}).end('up')).listen(dead, '127.0.0.1')
    later(() => service.close())
    for (;;) if ((await ask(port).catch(() => '')) === 'up') return
  })

  it('says who it is to a service that wants a PROXY header, and asks a service within the process', async () => {
    const server = await startServer()
    const heads: string[] = []
    const service = await startService((socket) => {
      socket.once('data', (head) => {
        heads.push(head.toString())
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      })
    })
    const client = await startClient(portOf(server), [
      { name: 'x', kind: 'tcp', local: service, proxyProtocol: 'v1', ...check({ type: 'http' }) } as ProxyEntry
    ])
    await until(() => heads.length > 0)
    expect(heads[0]).to.match(/^PROXY UNKNOWN\r\n/)
    let requested = ''
    await client.expose({
      kind: 'tcp',
      name: 'y',
      ...check({ type: 'http', path: '/ready' }),
      handler: {
        fetch: (request) => {
          requested = request.url
          return new Response('yes')
        }
      }
    })
    await until(() => requested !== '')
    expect(requested).to.equal('http://localhost/ready')
    for (;;) {
      const socket = await visit(visitorPort(client, 'y')).catch(() => undefined)
      socket?.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
      const answer = socket === undefined ? '' : await readAll(socket).catch(() => '')
      if (answer.toString().includes('yes')) return
    }
  })
})

describe('common fields of a proxy', () => {
  afterEach(cleanUp)

  it('given by code are understood and refused as in a configuration', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [])
    const base = { name: 'x', kind: 'tcp', local: 1 }
    for (const wrong of [
      { bandwidth: 0 },
      { bandwidth: '0MB' },
      { bandwidth: 'fast' },
      { maxConnections: 0 },
      { expiresIn: '5' },
      { expiresIn: '20y' },
      { idleTimeout: -1 },
      { healthCheck: { type: 'ping' } },
      { healthCheck: { timeout: 0 } },
      { proxyProtocol: 'v3' },
      { badnwidth: '1MB' },
      { local: 'nowhere' }
    ]) {
      const error = await failure(client.publish({ ...base, ...wrong }))
      expect(error, JSON.stringify(wrong)).to.include({ code: 'proxy.invalid', side: 'client' })
      expect(error.message).to.include(Object.keys(wrong)[0])
    }
    const [published] = await client.publish({ ...base, bandwidth: '10MB', expiresIn: '90d', idleTimeout: '30s' })
    expect(published?.spec).to.include({ bandwidth: 10_000_000, expiresIn: 90 * 86_400_000, idleTimeout: 30_000 })
  })

  it('are refused alike when a client sends them without a check of its own', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [])
    const rogue = await rogueClient(server)
    for (const [request, wrong] of [
      { bandwidth: 0 },
      { bandwidth: 1e300 },
      { maxConnections: 0 },
      { maxConnections: 1.5 },
      { expiresIn: 0.5 },
      { expiresIn: 1e300 },
      { idleTimeout: 999 },
      { idleTimeout: 2 ** 31 },
      { group: '' },
      { group: { name: 'g', policy: 'fastest' } },
      { group: { name: 'g\u0000' } },
      { group: { name: 'g', size: 1 } },
      { healthCheck: { type: 'ping' } },
      { port: 65_536 },
      { badnwidth: 1 }
    ].entries()) {
      const field = Object.keys(wrong)[0] as string
      const here = await failure(client.publish({ name: 'x', kind: 'tcp', local: 1, ...wrong }))
      rogue.say({ type: 'RegisterProxy', request, spec: { name: 'x', kind: 'tcp', ...wrong } as never })
      const { error } = await rogue.next('RegisterProxyAck')
      expect([here.code, error?.code], JSON.stringify(wrong)).to.deep.equal(['proxy.invalid', 'proxy.invalid'])
      expect(
        [here.message, error?.detail].every((text) => text?.includes(field)),
        JSON.stringify(wrong)
      ).to.equal(true)
    }
    expect(server.proxies).to.deep.equal([])
  })

  it('maxConnections refuses one too many, and lets the next in when one leaves', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, maxConnections: 2 }])
    const port = visitorPort(client, 'x')
    const [first] = [await visit(port), await visit(port)]
    await until(() => server.streams === 2)
    expect(await endOfVisit(port)).to.equal('ECONNRESET')
    first?.resetAndDestroy()
    await until(() => server.streams === 1)
    const next = await visit(port)
    next.end('in')
    expect((await readAll(next)).toString()).to.equal('in')
  })

  it('bandwidth holds each direction down, and is shared by the streams', async () => {
    const server = await startServer()
    const service = await startService((socket) => {
      socket.on('end', () => socket.end(Buffer.alloc(400_000)))
      socket.resume()
    })
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, bandwidth: '500kB' }])
    const port = visitorPort(client, 'x')
    const since = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 2 }, async () => {
        const visitor = await visit(port)
        visitor.end()
        return (await readAll(visitor)).length
      })
    )
    expect(answers).to.deep.equal([400_000, 400_000])
    // 800 kB, of which an eighth of a second's worth and one chunk each come at once.
    expect(performance.now() - since).to.be.greaterThan(800)
  })

  it('idleTimeout resets a stream on which nothing goes, and none on which something does', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, idleTimeout: '1s' }])
    const port = visitorPort(client, 'x')
    const busy = await visit(port)
    const beat = setInterval(() => busy.write('.'), 100)
    later(() => clearInterval(beat))
    let lost = false
    busy.on('close', () => (lost = true))
    busy.resume()
    const refused = once(server, 'streamClose')
    expect(await endOfVisit(port)).to.equal('ECONNRESET')
    expect((await refused)[0].error).to.include({ code: 'stream.idle' })
    expect(lost).to.equal(false)
  })

  it('bandwidth holds many short streams down as it does a long one', async () => {
    const server = await startServer()
    const size = 50_000
    const service = await startService((socket) => void socket.end(Buffer.alloc(size)))
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, bandwidth: '200kB' }])
    const since = Date.now()
    const take = async (): Promise<void> => {
      const visitor = await visit(visitorPort(client, 'x'))
      let got = 0
      // Gone as soon as it has what it came for.
      visitor.on('data', (bytes) => {
        got += bytes.length
        if (got === size) visitor.resetAndDestroy()
      })
      await once(visitor, 'close')
      expect(got).to.equal(size)
    }
    for (let round = 0; round < 5; round += 1) await Promise.all([take(), take()])
    // 64 KiB at once; the rest in its time, or later.
    const least = ((10 * size - 65_536) / 200_000) * 1000
    expect(Date.now() - since).to.be.at.least(least - 100)
  })

  it('idleTimeout leaves alone what the bandwidth holds back', async () => {
    const server = await startServer()
    const service = await startService((socket) => {
      socket.on('end', () => socket.end(Buffer.alloc(200_000)))
      socket.resume()
    })
    const fields = { idleTimeout: '1s', bandwidth: '50kB' }
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, ...fields }])
    const visitor = await visit(visitorPort(client, 'x'))
    visitor.end()
    expect((await readAll(visitor)).length).to.equal(200_000)
  })

  it('idleTimeout keeps the lower limit of a configuration, when a hook sets it too', async () => {
    const short = defineExtension({
      name: 'short',
      setup: ({ hooks }) => hooks.onRegisterProxy.tap((spec) => ({ ...spec, idleTimeout: 999 }))
    })()
    const server = await startServer({}, [short])
    const client = await startClient(portOf(server), [])
    const error = await failure(client.publish({ name: 'x', kind: 'tcp', local: 1 }))
    expect(error).to.include({ code: 'proxy.invalid', side: 'server' })
    expect(error.message).to.include('idleTimeout')
  })

  it('idleTimeout is kept where an extension brings a relay of its own', async () => {
    let joined = 0
    const relay = defineExtension({
      name: 'relay',
      setup: ({ registries }) =>
        registries.relays.add({
          name: 'deaf',
          accepts: () => true,
          join: (visitor, service, done) => {
            joined += 1
            return {
              aToB: 0,
              bToA: 0,
              paused: false,
              reset: (error) => {
                visitor.reset()
                service.reset()
                done(0, 0, error)
              }
            }
          }
        })
    })()
    const server = await startServer({}, [relay])
    const local = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local, idleTimeout: '1s' }])
    expect(await endOfVisit(visitorPort(client, 'x'))).to.equal('ECONNRESET')
    expect(joined).to.equal(1)
  })

  it('the PROXY header is ours, whatever header a visitor sends', async () => {
    const server = await startServer()
    let got = ''
    const service = await startService((socket) => {
      socket.on('data', (bytes) => (got += bytes.toString()))
      socket.on('end', () => socket.end())
    })
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, proxyProtocol: 'v1' }])
    const visitor = await visit(visitorPort(client, 'x'))
    const spoofed = 'PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n'
    const { localPort, remotePort } = visitor
    visitor.end(spoofed)
    await readAll(visitor)
    expect(got).to.equal(`PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${remotePort}\r\n${spoofed}`)
  })

  it('are changed on a live session: others are not touched, open streams go on, the port stays', async () => {
    const server = await startServer()
    const first = await startService(echo)
    const client = await startClient(portOf(server), [
      { name: 'x', kind: 'tcp', local: first },
      { name: 'other', kind: 'tcp', local: first }
    ])
    const port = visitorPort(client, 'x')
    const open = await visit(port)
    open.write('a')
    await once(open, 'data')
    const unpublished: string[] = []
    client.on('unpublished', ({ name }) => unpublished.push(name))
    const [changed] = await client.update({ name: 'x', kind: 'tcp', local: await named('second') })
    expect(changed?.address).to.include(`:${port}`)
    expect(await ask(port)).to.equal('second')
    open.end('still open')
    expect((await readAll(open)).toString()).to.equal('still open')
    expect(unpublished).to.deep.equal([])

    // The same again changes nothing; what is refused leaves what was there.
    await client.update({ ...(changed?.spec as ProxyEntry) })
    expect(unpublished).to.deep.equal([])
    expect(await failure(client.update({ name: 'x', kind: 'tcp', local: 1, port: 80 }))).to.include({
      code: 'proxy.port-not-allowed'
    })
    expect(await ask(port)).to.equal('second')
    expect(await failure(client.update({ name: 'x', kind: 'tcp', local: 'nowhere' }))).to.include({
      code: 'proxy.invalid'
    })
    expect(await ask(port)).to.equal('second')
  })

  it('of a range are taken back with its entry', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [{ name: 'r', kind: 'tcp', local: '127.0.0.1:4000-4002' }])
    expect(client.proxies).to.have.length(3)
    await client.update({ name: 'r', kind: 'tcp', local: '127.0.0.1:4000-4001' })
    expect(client.proxies.map(({ name }) => name)).to.have.members(['r:4000', 'r:4001'])
    client.unpublish('r')
    await until(() => server.proxies.length === 0)
  })
})
