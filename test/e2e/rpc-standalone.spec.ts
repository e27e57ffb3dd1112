import {
  type BoundAddress,
  defineService,
  fromServer,
  event,
  request,
  reverse,
  RpcClient,
  type RpcError,
  RpcServer,
  stateKey
} from '@rystra/rpc'
import { Type } from '@rystra/plugin'
import { expect } from 'chai'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { cleanUp, failure, later, portOf, startClient, startServer, token, until } from './tunnel.js'
import { Rpc } from '@rystra/rpc'
import rpcExtension from '@rystra/rpc'

const tokens = [{ identity: 'alice', token }]

const Chat = defineService('chat', {
  login: request(Type.Object({ user: Type.String() }), Type.Object({ count: Type.Integer() })),
  said: fromServer(event(Type.Object({ text: Type.String() })))
})

const start = async (url: string, build = (builder: ReturnType<typeof RpcServer.builder>) => builder) => {
  const server = await build(RpcServer.builder().bind(url).tokens(tokens)).build().start()
  later(() => server.stop(0))
  const { transport, port, join = {} } = server.addresses[0] as BoundAddress
  return { server, to: `${transport}://127.0.0.1:${port}`, join }
}

describe('RPC by itself', () => {
  afterEach(cleanUp)

  for (const transport of ['tcp', 'ws', 'quic']) {
    it(`runs over ${transport}, with state, events and calls of the server`, async () => {
      const users = stateKey<string[]>('users')
      const user = stateKey<string>('user')
      const gone: (string | undefined)[] = []
      const { server, to, join } = await start(`${transport}://127.0.0.1:0`, (builder) =>
        builder
          .set(users, [])
          .service(Chat, {
            login: (session, data) => {
              session.set(user, data.user)
              const all = [...(session.context.get(users) ?? []), data.user]
              session.context.set(users, all)
              return { count: all.length }
            }
          })
          .onDisconnect((session) => gone.push(session.get(user)))
      )
      const client = await RpcClient.connect(to, {
        id: 'one',
        token,
        dial: join
      })
      later(() => client.close())
      const heard = new Promise<string>((resolve) => client.use(Chat).said((_session, { text }) => resolve(text)))
      expect(await client.use(Chat).login({ user: 'alice' })).to.deep.equal({ count: 1 })
      for (const session of server.sessions)
        void session.use(reverse(Chat)).said({ text: `hello ${session.identity?.id}` })
      expect(await heard).to.equal('hello alice')
      await client.close()
      await until(() => gone.length > 0)
      expect(gone).to.deep.equal(['alice'])
    })
  }

  it('comes back by itself: what was in flight is lost unless it is idempotent, listeners and services are there again', async () => {
    let calls = 0
    const { server, to } = await start('tcp://127.0.0.1:0', (builder) =>
      builder.handler('hang', () => {
        calls += 1
        return calls > 2 ? 'again' : new Promise(() => {})
      })
    )
    const client = await RpcClient.connect(to, { id: 'two', token, reconnect: { min: 10, max: 50 } })
    later(() => client.close())
    client.session.router.handler({ name: 'here', fn: () => 'still' })
    await until(() => client.session.connected)
    const events: string[] = []
    client.session.on('down', () => events.push('down'))
    client.session.on('up', () => events.push('up'))
    const lost = client.request('hang').catch((error: RpcError) => error)
    const kept = client.request('hang', undefined, { idempotent: true })
    await until(() => calls === 2)
    server.client('two').close()
    const error = (await lost) as RpcError
    expect([error.code, error.retryable]).to.deep.equal(['rpc.lost', true])
    expect(await kept).to.equal('again')
    expect(events).to.deep.equal(['down', 'up'])
    expect(await server.client('two').request('here')).to.equal('still')
    const { port } = server.addresses[0] as BoundAddress
    await server.stop(0)
    const waiting = client.request('hang', undefined, { deadline: 10_000 })
    calls = 2
    await start(`tcp://127.0.0.1:${port}`, (builder) => builder.handler('hang', () => 'another'))
    expect(await waiting).to.equal('another')
  })

  it('waits for calls in flight when it stops, and takes no new ones', async () => {
    let answer = (_value: string): void => {}
    const { server, to } = await start('tcp://127.0.0.1:0', (builder) =>
      builder.handler('slow', () => new Promise<string>((resolve) => (answer = resolve)))
    )
    const client = await RpcClient.connect(to, { id: 'three', token })
    later(() => client.close())
    const slow = client.request('slow')
    await until(() => server.sessions.some((session) => session.busy))
    const going = new Promise((resolve) => client.session.on('goAway', resolve))
    const stopped = server.stop(2000)
    await going
    answer('done')
    expect(await slow).to.equal('done')
    await stopped
  })
})

describe('an RPC server that cannot start', () => {
  afterEach(cleanUp)

  it('says why, and leaves nothing behind', async () => {
    const { server } = await start('tcp://127.0.0.1:0')
    const { port } = server.addresses[0] as BoundAddress
    const stopped: string[] = []
    const second = RpcServer.builder().bind(`tcp://127.0.0.1:${port}`).tokens(tokens)
    const taken = await failure(
      second
        .onShutdown(() => stopped.push('second'))
        .build()
        .start()
    )
    expect(taken.code).to.match(/^listen\./)
    const third = RpcServer.builder()
      .bind('tcp://127.0.0.1:0')
      .tokens(tokens)
      .onStart(() => {
        throw new Error('not today')
      })
      .build()
    const thrown = await third.start().catch((error: Error) => error)
    expect((thrown as Error).message).to.equal('not today')
    expect(third.addresses).to.deep.equal([])
    expect(stopped).to.deep.equal(['second'])
  })
})

describe('RPC in a configuration', () => {
  afterEach(cleanUp)

  it('loads handlers from files beside it', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'rystra-rpc-'))
    later(() => rmSync(dir, { recursive: true }))
    writeFileSync(
      path.join(dir, 'services.mjs'),
      `export default (rpc) => { rpc.handler('disk.usage', (session, { path }) => ({ path, free: 42 })) }`
    )
    const onServer = new Rpc()
    const server = await startServer({}, [onServer.extension])
    await startClient(portOf(server), [], { id: 'home-nas' }, [
      rpcExtension({ services: [path.join(dir, 'services.mjs')] })
    ])
    await until(() => onServer.client('home-nas').connected)
    expect(await onServer.client('home-nas').request('disk.usage', { path: '/' })).to.deep.equal({
      path: '/',
      free: 42
    })
  })
})
