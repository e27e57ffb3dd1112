import type { RystraError } from '@rystra/model'
import proxyPrivate from '@rystra/proxy-private'
import { Rpc } from '@rystra/rpc'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { Servers } from './several-servers.js'
import { otherToken } from './tunnel.js'

const hello = (stream: Duplex): void => void stream.end('hello')
const echo = (stream: Duplex): void => void stream.on('error', () => {}).pipe(stream)

const readAll = async (stream: Duplex): Promise<string> => {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}

describe('a client of several servers', () => {
  let servers: Servers
  beforeEach(() => {
    servers = new Servers()
  })
  afterEach(() => servers.close())

  const hostOf = (server: string | undefined): string => server?.split(':')[0] ?? ''

  it('stays with one, and goes to the next at once when that is lost, also twice', async () => {
    for (const host of ['a', 'b', 'c']) await servers.add(host)
    const client = await servers.client({ servers: ['a', 'b', 'c:7000'] }, { services: { hello } })
    await client.start()
    const seen = [hostOf(client.session?.server)]
    for (let losses = 0; losses < 2; losses += 1) {
      const published = once(client, 'published')
      servers.lose(seen.at(-1) as string)
      const [{ session, address }] = (await published) as [{ session: { server: string }; address: string }]
      expect(session.server, 'the event says which').to.equal(client.session?.server)
      expect(address).to.equal('memory:hello')
      seen.push(hostOf(session.server))
    }
    expect(new Set(seen), seen.join()).to.have.property('size', 3)
    expect(servers.dialed, 'the lost one is not the first').to.have.length(3)
    expect(
      await readAll(
        servers
          .get(seen[2] as string)
          .services.visit('hello')
          .end()
      )
    ).to.equal('hello')
  })

  it('begins with any of them, so that clients spread', async () => {
    for (const host of ['a', 'b']) await servers.add(host)
    for (let n = 0; new Set(servers.dialed).size < 2; n += 1) {
      expect(n, 'all clients began with the same server').to.be.below(40)
      const client = await servers.client({ servers: ['a', 'b'] }, { id: `c${n}` })
      await client.start()
    }
  })

  it('counts a round over all of them as one attempt, and says what is wrong with each', async () => {
    servers.aliases.set('b', 'none')
    const client = await servers.client({ servers: ['a', 'b'] }, { reconnect: { min: 1, max: 1, attempts: 2 } })
    const attempts: number[] = []
    client.on('reconnecting', ({ attempt }) => attempts.push(attempt))
    const error = await client.start().then(
      () => undefined,
      (cause: RystraError) => cause
    )
    expect(error?.code).to.equal('connect.unreachable')
    expect(error?.message)
      .to.match(/a:7000: .*cannot be reached/)
      .and.to.match(/b:7000: .*cannot be reached/)
    expect(attempts).to.deep.equal([1, 2])
    expect(servers.dialed).to.have.length(6)
  })

  it('passes over a server that is full, and one that refuses its token', async () => {
    await servers.add('full', { limits: { sessions: 1 } })
    await servers.add('good')
    await (await servers.client({ host: 'full' }, { id: 'other' })).start()
    for (const id of ['x', 'y', 'z']) {
      const client = await servers.client({ servers: ['full', 'good'] }, { id })
      await client.start()
      expect(client.session?.server).to.equal('good:7000')
    }
  })

  it('ends with a refusal of its token when no server takes it', async () => {
    for (const host of ['a', 'b']) await servers.add(host)
    const client = await servers.client({ servers: ['a', 'b'] }, { own: 'a token that no server knows' })
    const error = await client.start().then(
      () => undefined,
      (cause: RystraError) => cause
    )
    expect(error?.code).to.equal('auth.refused')
    expect([...servers.dialed].sort()).to.deep.equal(['a', 'b'])
  })

  it('finds them by SRV records: the lowest priority first', async () => {
    for (const host of ['a.example.net', 'b.example.net']) await servers.add(host)
    const record = (name: string, priority: number) => ({ name, port: 7000, priority, weight: 1 })
    const names: string[] = []
    const resolveSrv = (name: string) => {
      names.push(name)
      return Promise.resolve([record('b.example.net', 20), record('a.example.net', 10), record('a.evil.test', 1)])
    }
    const srv = '_rystra._tcp.example.net'
    const client = await servers.client({ srv }, { options: { resolveSrv } })
    await client.start()
    expect(client.session?.server).to.equal('a.example.net:7000')
    const moved = once(client, 'connected')
    servers.lose('a.example.net')
    await moved
    expect(client.session?.server).to.equal('b.example.net:7000')
    expect(new Set(names)).to.deep.equal(new Set([srv]))
    expect(servers.dialed, 'a record outside the domain').to.not.include('a.evil.test')
  })

  it('says that there are no records, and tries again', async () => {
    const notFound = () => Promise.reject(Object.assign(new Error('queryTxt'), { code: 'ENOTFOUND' }))
    const client = await servers.client(
      { srv: '_rystra._tcp.example.net' },
      { options: { resolveSrv: notFound }, reconnect: { min: 1, max: 1, attempts: 1 } }
    )
    const reconnecting = once(client, 'reconnecting')
    const error = await client.start().catch((cause: RystraError) => cause)
    expect((error as RystraError).code).to.equal('connect.unreachable')
    expect((error as RystraError).message).to.contain('_rystra._tcp.example.net: SRV look-up failed: ENOTFOUND')
    await reconnecting
  })

  it('keeps its session when a reload leaves its server in the list', async () => {
    for (const host of ['a', 'b']) await servers.add(host)
    const client = await servers.client({ servers: ['a'] }, { services: { hello } })
    await client.start()
    const { id } = client.session ?? {}
    await client.reload(servers.config({ servers: ['b', 'a'] }, { services: { hello } }) as never)
    expect(client.session?.id).to.equal(id)
    const connected = once(client, 'connected')
    await client.reload(servers.config({ servers: ['b'] }, { services: { hello } }) as never)
    await connected
    expect(client.session?.server).to.equal('b:7000')
  })

  describe('with sessions at two of them', () => {
    const start = async (names: readonly string[], more: object = {}) => {
      const client = await servers.client({ servers: names }, { redundancy: 2, services: { hello, echo }, ...more })
      await client.start()
      await until(() => client.sessions.length === 2 && client.proxies.length === 4, 'two sessions')
      return client
    }

    it('publishes at both, and the loss of one refuses no visitor of the other', async () => {
      for (const host of ['a', 'b', 'c']) await servers.add(host)
      const client = await start(['a', 'b', 'c'])
      const [lost, kept] = client.sessions.map(({ server }) => hostOf(server)) as [string, string]
      expect(lost).to.not.equal(kept)
      const { published } = [...client.runtime.proxies()][0]?.info ?? {}
      expect(published?.map(({ session }) => hostOf(session.server)).sort()).to.deep.equal([lost, kept].sort())
      const long = servers.visit(kept, 'echo')
      long.write('before')
      await once(long, 'data')
      const gone = once(client, 'disconnected')
      servers.lose(lost)
      await gone
      long.write('after')
      expect(String((await once(long, 'data'))[0])).to.equal('after')
      expect(await readAll(servers.visit(kept, 'hello').end())).to.equal('hello')
      await until(() => client.sessions.length === 2 && client.proxies.length === 4, 'a session with the third')
      const third = ['a', 'b', 'c'].filter((host) => host !== lost && host !== kept)
      expect(client.sessions.map(({ server }) => hostOf(server))).to.have.members([kept, ...third])
    })

    it('has one session with a server that has two addresses, and replaces none of its own', async () => {
      for (const host of ['a', 'b']) await servers.add(host)
      servers.aliases.set('a-too', 'a')
      const client = await start(['a', 'a-too', 'b'])
      expect(servers.get('a').server.sessions).to.have.length(1)
      expect(servers.get('b').server.sessions).to.have.length(1)
      const reconnect = { min: 1, max: 1 }
      const alone = await servers.client({ servers: ['a', 'a-too'] }, { redundancy: 2, id: 'alone', reconnect })
      const ended: unknown[] = []
      alone.on('disconnected', (_, error) => ended.push(error))
      alone.on('reconnecting', (one) => ended.push(one))
      servers.dialed.length = 0
      await alone.start()
      await until(() => servers.dialed.length > 5, 'further attempts')
      expect(servers.get('a').server.sessions.filter(({ client: { id } }) => id === 'alone')).to.have.length(1)
      expect(ended).to.deep.equal([])
      expect(client.sessions).to.have.length(2)
    })

    it('follows a reload to one, and back to two', async () => {
      for (const host of ['a', 'b']) await servers.add(host)
      const client = await start(['a', 'b'])
      const services = { hello, echo }
      await client.reload(servers.config({ servers: ['a', 'b'] }, { services, redundancy: 1 }) as never)
      await until(() => client.sessions.length === 1 && client.proxies.length === 2, 'one session')
      await client.reload(servers.config({ servers: ['a', 'b'] }, { services, redundancy: 2 }) as never)
      await until(() => client.sessions.length === 2 && client.proxies.length === 4, 'two sessions')
    })

    it('changes a proxy at both, and takes it back from both', async () => {
      for (const host of ['a', 'b']) await servers.add(host)
      const client = await start(['a', 'b'])
      await client.update({ name: 'hello', kind: 'memory', local: 'echo', maxConnections: 3 })
      for (const host of ['a', 'b'])
        expect(servers.get(host).server.proxies.find(({ spec }) => spec.name === 'hello')?.spec).to.include({
          maxConnections: 3
        })
      client.unpublish('hello')
      for (const host of ['a', 'b'])
        await until(
          () => servers.get(host).server.proxies.every(({ spec }) => spec.name !== 'hello'),
          `gone at ${host}`
        )
    })

    it('calls programs at a server through the session that is left', async () => {
      const calls: string[] = []
      const at = (host: string) => {
        const rpc = new Rpc()
        rpc.handler('where', () => {
          calls.push(host)
          return host
        })
        return rpc.extension
      }
      for (const host of ['a', 'b']) await servers.add(host, {}, [at(host)])
      const rpc = new Rpc()
      const client = await start(['a', 'b'], { extensions: [rpc.extension] })
      const first = String(await rpc.server.request('where'))
      servers.lose(first)
      await until(() => client.sessions.length === 1, 'one session')
      const second = first === 'a' ? 'b' : 'a'
      expect(await rpc.server.request('where')).to.equal(second)
      expect(calls).to.deep.equal([first, second])
    })

    it('visits a proxy that only one of the servers has, whichever it is', async () => {
      for (const host of ['a', 'b']) await servers.add(host, {}, [proxyPrivate()])
      const secret = 'a secret of the service'
      const service = net.createServer((socket) => socket.end('the service')).listen(0, '127.0.0.1')
      await once(service, 'listening')
      const { port } = service.address() as AddressInfo
      for (const host of ['a', 'b']) {
        const owner = await servers.client({ host }, { id: `of-${host}`, extensions: [proxyPrivate()] })
        await owner.start()
        await owner.publish({ name: `at-${host}`, kind: 'private', local: `127.0.0.1:${port}`, secret })
      }
      const client = await start(['a', 'b'], { extensions: [proxyPrivate()] })
      const refused: unknown[] = []
      client.on('refused', (one) => refused.push(one))
      const visit = (address: string): Promise<string> =>
        readAll(net.connect(Number(address.split(':').at(-1)), '127.0.0.1'))
      const addresses: string[] = []
      for (const host of ['a', 'b']) {
        const forward = { name: `to-${host}`, kind: 'private', of: `at-${host}`, bind: '127.0.0.1:0', secret }
        addresses.push((await client.visit(forward)).address)
      }
      for (const address of addresses) expect(await visit(address)).to.equal('the service')
      expect(refused, 'what another server serves is no refusal').to.deep.equal([])
      servers.lose('a')
      await until(() => client.sessions.length === 1, 'one session')
      expect(await visit(addresses[1] as string)).to.equal('the service')
      service.close()
    })

    it('is published where one server refuses a proxy, and says who refused', async () => {
      await servers.add('a')
      await servers.add('b', { limits: { proxiesPerSession: 1 } })
      const client = await servers.client({ servers: ['a', 'b'] }, { redundancy: 2, services: { hello, echo } })
      const refused: unknown[] = []
      client.on('refused', ({ name, error }) => refused.push([name, error.code]))
      await client.start()
      await until(() => client.proxies.length === 3 && refused.length > 0, 'three of four')
      expect(refused).to.deep.include(['echo', 'proxy.limit'])
      const infos = [...client.runtime.proxies()].map(({ info }) => info)
      expect(infos.map(({ state }) => state)).to.deep.equal(['published', 'published'])
      expect(infos.find(({ spec }) => spec.name === 'echo')?.error).to.equal(undefined)
    })
  })

  describe('whose server drains', () => {
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
        expect(await readAll(servers.visit(host, 'hello').end())).to.equal('hello')
      }
      expect(order.slice(0, 2).sort()).to.deep.equal(['published echo', 'published hello'])
      long.write('2')
      expect(String((await once(long, 'data'))[0]), 'a stream goes on').to.equal('2')
      long.end()
      expect(await draining).to.deep.equal({ streams: 0 })
      expect(hostOf(client.session?.server)).to.equal(to)
      expect(client.sessions).to.have.length(1)
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
})
