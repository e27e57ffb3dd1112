import { Rpc, type RpcSession } from '@rystra/rpc'
import { expect } from 'chai'
import { cleanUp, codeOf, portOf, startClient, startServer, until } from './tunnel.js'

/** A server with RPC, and a client of that id with it. */
const world = async (options: ConstructorParameters<typeof Rpc>[0] = {}) => {
  const onServer = new Rpc(options)
  const server = await startServer({}, [onServer.extension])
  const join = async (id: string, rpc = new Rpc()) => {
    const client = await startClient(portOf(server), [], { id }, [rpc.extension])
    await until(() => rpc.server.connected)
    return { client, rpc }
  }
  return { onServer, server, join }
}

describe('RPC on the session of a tunnel', () => {
  afterEach(cleanUp)

  for (const muxer of ['yamux', 'direct']) {
    it(`asks both ways over ${muxer}, and opens streams`, async () => {
      const { onServer, server } = await world()
      onServer.router.handler({
        name: 'greet',
        fn: (session: RpcSession, name) => `hello ${name} of ${session.identity?.id}`
      })
      const rpc = new Rpc()
      rpc.router.handler({ name: 'disk.usage', fn: (_session, { path }) => ({ path, free: 42 }) })
      rpc.router.streamHandler({
        name: 'count',
        fn: async (_session, stream) => {
          for (let number = 0; number < 3; number++) await stream.send(number)
          stream.end()
        }
      })
      await startClient(portOf(server), [], { id: 'home-nas', muxer }, [rpc.extension])
      expect(await rpc.server.request('greet', 'nas')).to.equal('hello nas of home')
      const nas = onServer.client('home-nas')
      expect(await nas.request('disk.usage', { path: '/' })).to.deep.equal({ path: '/', free: 42 })
      const stream = nas.createStream('count')
      const got: unknown[] = []
      for await (const number of stream) got.push(number)
      expect(got).to.deep.equal([0, 1, 2])
      stream.end()
    })
  }

  it('says at once that a client without RPC has none, and a server without', async () => {
    const { onServer, server } = await world()
    await startClient(portOf(server), [], { id: 'plain' })
    expect(await codeOf(onServer.client('plain').request('x'))).to.equal('rpc.unavailable')
    const bare = await startServer()
    const rpc = new Rpc()
    await startClient(portOf(bare), [], { id: 'alone' }, [rpc.extension])
    expect(await codeOf(rpc.server.request('x'))).to.be.oneOf(['rpc.unavailable', 'rpc.lost'])
  })

  it('carries calls and streams from client to client where a rule allows it', async () => {
    const { join } = await world({ relay: [{ from: 'laptop', to: 'home-*' }] })
    const nas = new Rpc({
      access: [
        { relayed: true, name: 'who' },
        { kind: 'stream', identity: 'home' }
      ]
    })
    nas.handler('secret', () => 1)
    nas.router.handler({
      name: 'who',
      fn: (session: RpcSession) => [session.remote.id, session.identity?.id, session.remote.relayed]
    })
    nas.router.streamHandler({
      name: 'up',
      fn: async (_session, stream) => {
        for await (const text of stream) await stream.send(String(text).toUpperCase())
        stream.end()
      }
    })
    await join('home-nas', nas)
    const { rpc: laptop } = await join('laptop')
    expect(await laptop.server.peer('home-nas').request('who')).to.deep.equal(['laptop', 'home', true])
    const stream = laptop.peer('home-nas').createStream('up')
    await stream.send('abc')
    stream.end()
    expect(await stream.recv()).to.equal('ABC')
    expect(await codeOf(laptop.peer('home-nas').request('secret'))).to.equal('rpc.denied')
    const silent = new Rpc()
    await join('home-silent', silent)
    expect(await codeOf(laptop.peer('home-silent').request('who'))).to.equal('rpc.unavailable')
    const { rpc: other } = await join('other')
    expect(await codeOf(other.peer('home-nas').request('who'))).to.equal('rpc.denied')
  })

  it('is no stream that a stop of either end waits for', async () => {
    const { server, join } = await world()
    const { client, rpc } = await join('one')
    const other = await join('two')
    expect(await codeOf(rpc.server.request('x'))).to.equal('rpc.unknown')
    // An hour: a stop that waited for the stream would not end in this test.
    await client.stop({ drain: 3_600_000 })
    await server.stop({ drain: 3_600_000 })
    await other.client.stop({ drain: 0 })
  })
})
