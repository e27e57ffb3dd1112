import { isRystraError } from '@rystra/model'
import { type ChannelOpener, defineExtension } from '@rystra/plugin'
import { Rpc, type RpcError, type RpcSession } from '@rystra/rpc'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { ClusterWorld } from './cluster-world.js'
import { cleanUp, codeOf, later, otherToken, portOf, startClient, until } from './tunnel.js'

interface Node {
  readonly server: Server
  readonly rpc: Rpc
}

describe('RPC across the servers of a cluster', () => {
  afterEach(cleanUp)

  const start = async (world: ClusterWorld, name: string, rpc: Rpc): Promise<Node> => {
    const server = await world.start(name, { extensions: [rpc.extension] })
    later(() => rpc.close())
    return { server, rpc }
  }

  /** Servers a, b, c, and a client `nas` at the first one. */
  const three = async () => {
    const world = await ClusterWorld.open()
    const gate = world.gate('b')
    const relay = [{ from: 'laptop', to: 'nas' }]
    const [a, b, c] = [
      await start(world, 'a', new Rpc({ relay })),
      await start(world, 'b', new Rpc({ relay })),
      await start(world, 'c', new Rpc())
    ]
    const nas = new Rpc({ access: [{ identity: '' }, { relayed: true, name: 'from' }, { relayed: true, name: 'up' }] })
    nas.handler('ping', (_session, data) => ['pong', data])
    nas.handler('from', ({ remote: { id, side, relayed, member } }) => [id, side, relayed === true, member])
    nas.streamHandler('up', async (_session, stream) => {
      for await (const text of stream) await stream.send(String(text).toUpperCase())
      stream.end()
    })
    const client = await join(a, 'nas', nas)
    return { world, gate, a, b, c, nas, client }
  }

  const join = async ({ server }: Node, id: string, rpc: Rpc, token?: string) => {
    const client = await startClient(portOf(server), [], { id, ...(token === undefined ? {} : { token }) }, [
      rpc.extension
    ])
    await until(() => rpc.server.connected)
    return client
  }

  /** Whether a server knows of a client of another one. */
  const knows = ({ server }: Node, id: string): Promise<void> =>
    until(() => [...(server.runtime.cluster?.ofClient(id) ?? [])].length > 0, `${id} to be known`)

  it('finds a client from any of them, and tells it which server it is', async () => {
    const { a, b, c } = await three()
    for (const [name, node] of Object.entries({ b, c })) {
      await knows(node, 'nas')
      expect(await node.rpc.client('nas').request('ping', 1)).to.deep.equal(['pong', 1])
      expect(await node.rpc.client('nas').request('from')).to.deep.equal(['server', 'server', false, name])
      expect(node.rpc.client('nas'), 'one session for all calls').to.equal(node.rpc.client('nas'))
    }
    expect(await a.rpc.client('nas').request('from')).to.deep.equal(['server', 'server', false, undefined])
  })

  it('opens streams both ways, and ends the session with its client', async () => {
    const { b, nas, client } = await three()
    b.rpc.streamHandler('down', async (_session, stream) => {
      for await (const number of stream) await stream.send(Number(number) + 1)
      stream.end()
    })
    let called: RpcSession | undefined
    nas.handler('open', async (session) => {
      called = session
      const stream = session.createStream('down')
      await stream.send(41)
      stream.end()
      return stream.recv()
    })
    await knows(b, 'nas')
    const session = b.rpc.client('nas')
    const stream = session.createStream('up')
    await stream.send('abc')
    stream.end()
    expect(await stream.recv()).to.equal('ABC')
    expect(await session.request('open')).to.equal(42)
    b.rpc.handler('back', () => 'here')
    expect(await called?.request('back')).to.equal('here')
    await client.stop({ drain: 0 })
    await until(() => session.closed, 'the session to end')
    await until(() => b.server.runtime.cluster?.ofClient('nas')[Symbol.iterator]().next().done === true)
    expect(() => b.rpc.client('nas'))
      .to.throw()
      .with.property('code', 'rpc.unavailable')
  })

  it('says what one server says: unknown clients, names, identities, and clients without RPC', async () => {
    const { a, b } = await three()
    await startClient(portOf(a.server), [], { id: 'plain' })
    await startClient(portOf(a.server), [], { id: 'nas', token: otherToken })
    await knows(b, 'plain')
    await until(() => [...(b.server.runtime.cluster?.ofClient('nas') ?? [])].length === 2)
    expect(() => b.rpc.client('unknown'))
      .to.throw()
      .with.property('code', 'rpc.unavailable')
    expect(() => b.rpc.client('nas')).to.throw('several identities')
    expect(await codeOf(b.rpc.client('plain').request('ping'))).to.equal('rpc.unavailable')
    const nas = b.rpc.client('nas', { identity: 'home' })
    expect(await codeOf(nas.request('nothing'))).to.equal('rpc.unknown')
    expect(await codeOf(nas.request('ping', undefined, { deadline: 10_000 }))).to.equal('ok')
  })

  it('carries calls and streams from client to client where the rules of both ends allow it', async () => {
    const { b, c } = await three()
    const [laptop, other, third] = [new Rpc(), new Rpc(), new Rpc()]
    await join(b, 'laptop', laptop)
    await join(b, 'other', other)
    await join(c, 'laptop', third, otherToken)
    await knows(b, 'nas')
    await knows(c, 'nas')
    expect(await laptop.peer('nas').request('from')).to.deep.equal(['laptop', 'client', true, undefined])
    expect(await laptop.server.peer('nas').request('from')).to.deep.equal(['laptop', 'client', true, undefined])
    const stream = laptop.peer('nas').createStream('up')
    await stream.send('abc')
    stream.end()
    expect(await stream.recv()).to.equal('ABC')
    expect(await codeOf(laptop.peer('nas').request('ping'))).to.equal('rpc.denied')
    expect(await codeOf(other.peer('nas').request('from')), 'no rule of its server').to.equal('rpc.denied')
    expect(await codeOf(third.peer('nas').request('from')), 'a server without rules').to.equal('rpc.denied')
  })

  it('ends a call with the deadline of its caller, and aborts the handler on the other server', async () => {
    const { b, nas } = await three()
    const seen: string[] = []
    nas.handler(
      'wait',
      (_session, _data, { signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => {
            seen.push((signal.reason as RpcError).code)
            reject(signal.reason)
          })
        )
    )
    await knows(b, 'nas')
    const session = b.rpc.client('nas')
    await session.request('ping')
    expect(await codeOf(session.request('wait', undefined, { deadline: 50 }))).to.equal('rpc.deadline')
    await until(() => seen.length === 1)
    expect(seen[0]).to.be.oneOf(['rpc.deadline', 'rpc.cancelled'])
  })

  it('lets no client into a session that is of another one', async () => {
    const { a, b } = await three()
    await knows(b, 'nas')
    const session = b.rpc.client('nas')
    await session.request('ping')
    const links: ChannelOpener[] = []
    const keep = defineExtension({
      name: 'keep',
      setup: ({ hooks }) => hooks.onConnect.tap(({ channels }) => void links.push(channels))
    })
    await startClient(portOf(a.server), [], { id: 'other' }, [keep])
    await knows(b, 'other')
    const refusal = async (details: Record<string, unknown>): Promise<string | undefined> => {
      const channel = await links[0]?.openChannel('rpc', { details })
      const closed = new Promise<Error | undefined>((resolve) => {
        if (channel !== undefined) channel.stream.onClose = resolve
      })
      channel?.stream.read({ onBytes: () => true, onEnd: () => {} })
      const error = await closed
      return isRystraError(error) ? `${error.code} ${error.detail}` : error?.message
    }
    const stream = { kind: 'stream', session: session.id, server: 'b' }
    expect(await refusal(stream)).to.match(/^(channel.refused|stream.reset)/)
    expect(await refusal({ ...stream, server: 'no-member' })).to.match(/^(channel.refused|stream.reset)/)
    expect(await refusal({ ...stream, kind: 'calls' })).to.equal(
      'channel.refused expected details.server: the server that has opened the session of a stream'
    )
    expect(session.streams).to.equal(0)
    expect(await session.request('ping', 2)).to.deep.equal(['pong', 2])
  })

  it('finds a client where it went to', async () => {
    const { b, c, nas, client } = await three()
    await knows(b, 'nas')
    const first = b.rpc.client('nas')
    await first.request('ping')
    await client.stop({ drain: 0 })
    await until(() => first.closed, 'the first session to end')
    const again = new Rpc()
    again.handler('where', () => 'c')
    await join(c, 'nas', again)
    await knows(b, 'nas')
    expect(await b.rpc.client('nas').request('where')).to.equal('c')
    nas.close()
  })

  it('calls a client where it went to, when its former server refuses the session', async () => {
    const { b, c, gate } = await three()
    await knows(b, 'nas')
    gate.hold()
    const again = new Rpc()
    again.handler('where', () => 'c')
    again.streamHandler('up', async (_session, stream) => {
      await stream.send('here')
      stream.end()
    })
    await join(c, 'nas', again)
    const session = b.rpc.client('nas')
    const call = session.request('where')
    gate.release()
    expect(await call).to.equal('c')
    expect(await session.createStream('up').recv()).to.equal('here')
    expect(b.rpc.client('nas'), 'one session for all calls').to.equal(session)
  })

  it('stops without waiting for channels', async () => {
    const { b } = await three()
    await knows(b, 'nas')
    await b.rpc.client('nas').request('ping')
    expect(b.server.runtime.stats().cluster).to.include({ forwarded: 0 })
    // An hour: a stop that waited for them would not end in this test.
    await b.server.stop({ drain: 3_600_000 })
  })
})
