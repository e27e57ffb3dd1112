import { Rpc, type RpcSession, type RpcStream } from '@rystra/rpc'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { Servers } from './several-servers.js'

/** One of two servers, with programs that can be asked which it is. */
class Program {
  readonly rpc = new Rpc()
  readonly streams: RpcStream[] = []
  readonly heard: unknown[] = []
  release: (() => void) | undefined

  constructor(readonly host: string) {
    const { router } = this.rpc
    router.handler({ name: 'where', fn: () => host })
    router.handler({
      name: 'hold',
      fn: () =>
        new Promise((resolve) => {
          this.release = () => resolve(host)
        })
    })
    router.streamHandler({
      name: 'feed',
      fn: (_session, stream) => {
        this.streams.push(stream)
        return new Promise(() => {})
      }
    })
  }
}

/** A client of two servers, at one of them. */
const world = async (servers: Servers) => {
  const programs = new Map(['a', 'b'].map((host) => [host, new Program(host)]))
  for (const [host, { rpc }] of programs) await servers.add(host, {}, [rpc.extension])
  const here = new Rpc()
  const heard: unknown[] = []
  here.router.listener({ name: 'news', fn: (_session, text) => void heard.push(text) })
  const client = await servers.client({ servers: ['a', 'b'] }, { extensions: [here.extension] })
  await client.start()
  const session: RpcSession = here.server
  const from = String(await session.request('where'))
  const first = programs.get(from) as Program
  const second = programs.get(from === 'a' ? 'b' : 'a') as Program
  const events: string[] = []
  session.on('down', (error) => events.push(`down ${error?.message ?? 'cleanly'}`))
  session.on('up', () => events.push('up'))
  const drain = () => servers.get(from).server.drain({ timeout: 20_000, alternatives: [] })
  return { session, first, second, events, heard, drain }
}

describe('calls of a client whose server drains', () => {
  let servers: Servers
  beforeEach(() => {
    servers = new Servers()
  })
  afterEach(() => servers.close())

  it('go to the next server at once, while a stream goes on at the first', async () => {
    const { session, first, second, events, heard, drain } = await world(servers)
    const stream = session.createStream('feed')
    await stream.send('a')
    await until(() => first.streams.length === 1, 'the stream is open')
    const old = first.rpc.client('test')
    let drained = false
    const draining = drain().then(() => {
      drained = true
    })
    await until(() => events.includes('up'), 'it is at the other server')
    expect(await session.request('where')).to.equal(second.host)
    expect(events).to.deep.equal(['down cleanly', 'up'])
    await stream.send('b')
    const there = first.streams[0] as RpcStream
    expect([await there.recv(), await there.recv()], 'the stream goes on').to.deep.equal(['a', 'b'])
    await old.emit('news', 'of the first server')
    await until(() => heard.length === 1, 'what the first server sends arrives')
    const next = session.createStream('feed')
    await next.send('c')
    await until(() => second.streams.length === 1, 'a new stream is at the other server')
    expect(drained, 'it waits for the stream').to.equal(false)
    stream.end()
    there.end()
    await draining
    expect(await session.request('where')).to.equal(second.host)
    expect(events, 'its end is no other one').to.deep.equal(['down cleanly', 'up'])
    next.reset()
  })

  it('wait until those in flight are answered', async () => {
    const { session, first, second, events, drain } = await world(servers)
    const held = session.request('hold')
    await until(() => first.release !== undefined, 'the handler runs')
    const warned = new Promise((resolve) => session.on('goAway', resolve))
    const draining = drain()
    await warned
    const where = session.request('where')
    expect(events).to.deep.equal([])
    first.release?.()
    expect(await held).to.equal(first.host)
    expect(await where).to.equal(second.host)
    await draining
    expect(events).to.deep.equal(['down cleanly', 'up'])
  })

  it('do not go back to a server that drains: those wait for a next one', async () => {
    const { session, first, second, events, drain } = await world(servers)
    const stream = session.createStream('feed')
    await stream.send('a')
    await until(() => first.streams.length === 1, 'the stream is open')
    const draining = drain()
    await until(() => events.includes('up'), 'it is at the other server')
    const held = session.request('hold')
    await until(() => second.release !== undefined, 'the handler runs')
    const warned = new Promise((resolve) => session.on('goAway', resolve))
    const secondStops = servers.get(second.host).server.stop({ drain: 20_000 })
    await warned
    second.release?.()
    expect(await held).to.equal(second.host)
    await secondStops
    await until(() => events.length > 2, 'the second one is over')
    stream.end()
    first.streams[0]?.end()
    await draining
    expect(events).to.deep.equal(['down cleanly', 'up', 'down cleanly'])
  })
})
