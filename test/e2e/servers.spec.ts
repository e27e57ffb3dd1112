import type { RystraError } from '@rystra/model'
import { expect } from 'chai'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { hello, hostOf, Servers } from './several-servers.js'

describe('a client of several servers', () => {
  let servers: Servers
  beforeEach(() => {
    servers = new Servers()
  })
  afterEach(() => servers.close())

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
      await text(
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
})
