import proxyPrivate from '@rystra/proxy-private'
import { Rpc } from '@rystra/rpc'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { echo, hello, hostOf, Servers } from './several-servers.js'

describe('a client with sessions at two of several servers', () => {
  let servers: Servers
  beforeEach(() => {
    servers = new Servers()
  })
  afterEach(() => servers.close())

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
    expect(await text(servers.visit(kept, 'hello').end())).to.equal('hello')
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
      await until(() => servers.get(host).server.proxies.every(({ spec }) => spec.name !== 'hello'), `gone at ${host}`)
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
      text(net.connect(Number(address.split(':').at(-1)), '127.0.0.1'))
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
