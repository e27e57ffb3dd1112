import { expect } from 'chai'
import type { RystraError } from '@rystra/model'
import { defineExtension, Type } from '@rystra/plugin'
import { PUSH } from '@rystra/protocol'
import { rogueClient, type Rogue, rogueServer } from './rogue.js'
import {
  cleanUp,
  endOfVisit,
  failure,
  freePort,
  listens,
  makeClient,
  portOf,
  startClient,
  startServer,
  startService,
  until
} from './tunnel.js'

const accept = { hosts: ['127.0.0.1'], ports: ['1024-65535'], kinds: ['tcp'] }

describe('pushed proxies and a peer that does as it likes', () => {
  afterEach(cleanUp)

  /** A client of a server that pushes what it likes. */
  const pushed = async (client: Parameters<typeof makeClient>[2], features: readonly string[] = [PUSH]) => {
    const rogue = await rogueServer(features)
    const made = await makeClient(rogue.port, [], { muxer: 'direct', ...client })
    const ended: (RystraError | undefined)[] = []
    made.on('disconnected', (_session, error) => ended.push(error))
    const started = made.start()
    started.catch(() => {})
    const session = await rogue.session()
    await started
    return { client: made, session, ended }
  }

  const push = (session: Rogue, request: number, spec: object): void =>
    session.say({ type: 'PushProxy', request, spec: { name: `x${request}`, kind: 'tcp', local: 1, ...spec } })

  it('a client asks for nothing that its configuration does not accept', async () => {
    const { client, session } = await pushed({ accept })
    const specs = [
      { local: '127.0.0.2:2000' },
      { local: '[::ffff:7f00:2]:2000' },
      { local: 'localhost.example.org:2000' },
      { local: 'unix:/tmp/x.sock' },
      { local: 'handler:x' },
      { local: '127.0.0.1:1000-1999' },
      { kind: 'udp', local: '127.0.0.1:2000' },
      { local: ['127.0.0.1:2000'] },
      { local: { host: '127.0.0.1' } },
      { local: '127.0.0.1:2000', handler: 'x' },
      { kind: 'constructor', local: '127.0.0.1:2000' }
    ]
    for (const [request, spec] of specs.entries()) {
      push(session, request, spec)
      const { error, ...answer } = await session.next('PushProxyAck')
      expect(answer.request).to.equal(request)
      expect(error?.code, JSON.stringify(spec)).to.match(/^proxy\.(not-accepted|invalid|unknown-kind)$/)
    }
    expect(session.heard.filter(({ type }) => type === 'RegisterProxy')).to.deep.equal([])
    expect([...client.runtime.proxies()]).to.deep.equal([])
  })

  it('a client reaches nothing else for a pushed proxy, whatever its kind connects to', async () => {
    let visitors = 0
    const hidden = await startService(() => {
      visitors += 1
    })
    const wanders = defineExtension({
      name: 'wanders',
      setup({ registries }) {
        registries.proxies.add({
          kind: 'wandering',
          spec: Type.Object({ local: Type.Integer() }),
          localFields: ['local'],
          async publish(_spec, host) {
            const { port } = await host.listen({}, (visitor, info) => host.relay(visitor, info))
            return { address: `127.0.0.1:${port}` }
          },
          reach: async (_spec, host) => host.relay(await host.connect(`127.0.0.1:${hidden}`))
        })
      }
    })()
    const server = await startServer({}, [wanders])
    const client = await startClient(
      portOf(server),
      [],
      { accept: { ...accept, ports: [2000], kinds: ['wandering'] } },
      [wanders]
    )
    const refusals: string[] = []
    client.on('refused', ({ error }) => refusals.push(error.code))
    const spec = { name: 'x', kind: 'wandering', local: 2000 }
    const { info } = await server.runtime.control.addProxy(spec, 'test')
    await endOfVisit(Number(info.address?.split(':').at(-1)))
    expect(refusals).to.deep.equal(['proxy.not-accepted'])
    expect(visitors).to.equal(0)
  })

  it('a server that floods a client with pushes loses the session, and the client has as many as it takes', async () => {
    const { client, session, ended } = await pushed({ accept: { ...accept, max: 3 } })
    for (let request = 0; request < 5; request += 1) push(session, request, { local: '127.0.0.1:2000' })
    for (let n = 0; n < 3; n += 1) {
      const { request } = await session.next('RegisterProxy')
      session.say({ type: 'RegisterProxyAck', request, address: `127.0.0.1:${2000 + n}` })
    }
    const codes: string[] = []
    for (let n = 0; n < 5; n += 1) codes.push(...[(await session.next('PushProxyAck')).error?.code ?? []].flat())
    expect(codes).to.deep.equal(['proxy.limit', 'proxy.limit'])
    expect([...client.runtime.proxies()]).to.have.length(3)
    for (let request = 5; request < 1200; request += 1) push(session, request, { local: 1 })
    await until(() => ended.length > 0, 'the session is over')
    expect(ended[0]?.code).to.equal('proxy.limit')
    expect([...client.runtime.proxies()], 'pushed proxies go with their session').to.deep.equal([])
  })

  it('a server that pushes without having agreed on it loses the session', async () => {
    const { session, ended } = await pushed({ accept }, [])
    push(session, 1, { local: '127.0.0.1:2000' })
    await until(() => ended.length > 0, 'the session is over')
    expect(ended[0]?.code).to.equal('protocol.unexpected')
  })

  const added = async (features: readonly string[] = [PUSH]) => {
    const server = await startServer()
    const session = await rogueClient(server, 'rogue', undefined, features)
    const adding = server.runtime.control.addProxy({ name: 'x', kind: 'tcp', local: 2000 }, 'rogue')
    adding.catch(() => {})
    return { server, session, adding }
  }

  it('a client that does not know it is told apart by a code', async () => {
    const { adding } = await added([])
    expect(await failure(adding)).to.include({ code: 'control.unavailable', side: 'client' })
  })

  it('a client that acknowledges without registering has added nothing', async () => {
    const { server, session, adding } = await added()
    const { request } = await session.next('PushProxy')
    session.say({ type: 'PushProxyAck', request: request + 7 }, { type: 'PushProxyAck', request })
    expect(await failure(adding)).to.include({ code: 'proxy.refused', side: 'client' })
    expect([...server.runtime.proxies()]).to.deep.equal([])
  })

  it('what a client registers in the name of a push that is not its own is its own proxy', async () => {
    const { server, session, adding } = await added()
    const other = await rogueClient(server, 'other', undefined, [PUSH])
    const { request } = await session.next('PushProxy')
    const port = await freePort()
    other.say({ type: 'RegisterProxy', request: 1, spec: { name: 'x', kind: 'tcp', port }, push: request })
    expect((await other.next('RegisterProxyAck')).error).to.equal(undefined)
    other.say({ type: 'PushProxyAck', request })
    const [proxy] = [...server.runtime.proxies()].filter(({ info }) => info.session?.client.id === 'other')
    expect(proxy?.info.origin).to.equal(undefined)
    session.say({ type: 'PushProxyAck', request, error: { code: 'proxy.not-accepted', detail: '\u001b[2J' } })
    expect(await failure(adding)).to.include({ code: 'proxy.not-accepted', side: 'client' })
    expect(await listens(port)).to.equal(true)
  })

  it('a client that leaves before it answers has refused, and one that answers after a removal is taken back', async () => {
    const { server, session, adding } = await added()
    await session.next('PushProxy')
    session.socket.destroy()
    expect((await failure(adding)).code).to.equal('session.lost')

    const again = await rogueClient(server, 'again', undefined, [PUSH])
    const late = server.runtime.control.addProxy({ name: 'x', kind: 'tcp', local: 2000 }, 'again')
    late.catch(() => {})
    const { request } = await again.next('PushProxy')
    const [handle] = [...server.runtime.proxies()]
    await server.runtime.control.removeProxy(handle?.id ?? '')
    again.say({ type: 'RegisterProxy', request: 1, spec: { name: 'x', kind: 'tcp' }, push: request })
    await again.next('RegisterProxyAck')
    again.say({ type: 'PushProxyAck', request })
    expect((await failure(late)).code).to.equal('proxy.refused')
    expect((await again.next('UnregisterProxy')).name).to.equal('x')
    expect([...server.runtime.proxies()]).to.deep.equal([])
  })
})
