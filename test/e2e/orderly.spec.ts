import { RystraError, type SessionHandle } from '@rystra/plugin'
import { until } from '@rystra/testkit'
import transportWs from '@rystra/transport-ws'
import { expect } from 'chai'
import { once } from 'node:events'
import { carriers, nameOf } from './end-carriers.js'
import { EndWorld, Journal } from './end-world.js'
import { cleanUp, echo, startService, svc, token, visit, visitorPort } from './tunnel.js'

/** A way in which a session ends in order. */
interface End {
  readonly name: string
  readonly run: (world: EndWorld, local: number) => unknown
  /** What hooks, events and the audit of each end give as its code. */
  readonly server: string
  readonly client: string
  /** Why its proxy is gone, at the server. */
  readonly proxy: string
  /** Whether it is tried without a stream too, which takes another path in the muxers. */
  readonly idle?: true
  /** Lines of the log of the client that are right. */
  readonly said?: readonly string[]
}

/** A session of a server, which can say that it ends and go on. */
interface SaysItEnds {
  retire(drain: number, reason: string, error: RystraError): Promise<void>
}

const closeAll = ({ server }: EndWorld, code?: 'session.closing' | 'session.refused'): void => {
  const error = code === undefined ? undefined : new RystraError(code, { side: 'server' })
  for (const session of server.runtime.sessions()) session.close(error)
}

const closing = 'session.closing'
const stopped = { server: 'clean', client: closing, proxy: 'shutdown' }

const ends: readonly End[] = [
  {
    name: 'the client stops',
    run: ({ client }) => client.stop({ drain: 0 }),
    server: 'clean',
    client: 'clean',
    proxy: 'asked',
    idle: true
  },
  { name: 'the server stops', run: ({ server }) => server.stop({ drain: 0 }), ...stopped, idle: true },
  { name: 'the server drains', run: ({ server }) => server.drain({ timeout: 50, stop: true }), ...stopped },
  {
    name: 'the server drains and names no other',
    run: ({ server }) => server.drain({ timeout: 50, stop: true, alternatives: [] }),
    ...stopped
  },
  {
    name: 'an administrator ends it',
    run: (world) => closeAll(world, closing),
    server: closing,
    client: closing,
    proxy: 'session'
  },
  {
    name: 'an administrator shuts the client out',
    run: (world) => closeAll(world, 'session.refused'),
    server: 'session.refused',
    client: 'session.refused',
    proxy: 'session'
  },
  {
    name: 'an extension of the server ends it without a reason',
    run: (world) => closeAll(world),
    server: 'clean',
    client: 'clean',
    proxy: 'session'
  },
  {
    name: 'an extension of the client ends it',
    run: ({ client }) => {
      for (const session of client.runtime.sessions()) session.close()
    },
    server: 'clean',
    client: 'clean',
    proxy: 'asked'
  },
  {
    name: 'another client takes its id',
    run: (world, local) => world.join([svc(local)], new Journal()),
    server: 'session.replaced',
    client: 'session.replaced',
    proxy: 'taken-over',
    said: ['error giving up: session.replaced']
  },
  {
    name: 'a reload of the server forgets its identity',
    run: (world) => {
      const next = world.serverConfig()
      const [auth] = next.extensions as unknown as [{ options: { tokens: { token: string }[] } }]
      auth.options.tokens = auth.options.tokens.filter((one) => one.token !== token)
      return world.server.reload(next)
    },
    server: 'auth.refused',
    client: 'auth.refused',
    proxy: 'reload'
  },
  {
    name: 'a reload of the client gives it another id',
    run: (world, local) => world.client.reload(world.clientConfig([svc(local)], { id: 'renamed' })),
    server: 'clean',
    client: closing,
    proxy: 'taken-over'
  }
]

describe('a session that ends in order', () => {
  afterEach(cleanUp)

  for (const carrier of carriers) {
    for (const { name, run, server, client, proxy, idle, said = [] } of ends) {
      for (const busy of idle === true ? [false, true] : [true]) {
        const how = `${nameOf(carrier)}${busy ? ', with a stream' : ''}`
        it(`is no loss for hooks, events, audit and log of either end: ${name} (${how})`, async () => {
          const world = await EndWorld.open(carrier)
          const { here, there } = world
          const local = await startService(echo)
          world.client = await world.join([svc(local)])
          if (busy) {
            const visitor = await visit(visitorPort(world.client, 'svc'))
            visitor.write('a')
            await once(visitor, 'data')
          }
          await run(world, local)
          await until(() => here.reported && there.reported && there.proxies.length > 0, 'both ends tell of it')
          expect(here.first, 'at the client').to.deep.equal({ hook: client, event: client, runtime: client })
          expect(there.first, 'at the server').to.deep.equal({ hook: server, event: server, runtime: server })
          expect(there.proxies[0], 'why the proxy is gone').to.equal(proxy)
          // Attempts of the client after the end are no part of it.
          const trouble = here.trouble.filter((line) => !line.startsWith('warn no session; trying again'))
          expect(trouble, 'the log of the client').to.deep.equal(said)
          expect(there.trouble, 'the log of the server').to.deep.equal([])
          await world.client.stop({ drain: 0 })
          await world.server.stop({ drain: 0 })
          const closed = world.audit.records().find(({ type }) => type === 'session.close')
          expect(closed?.['code'] ?? 'clean', 'the audit').to.equal(server)
        })
      }
    }
  }
})

describe('a session that has just begun', () => {
  afterEach(cleanUp)

  for (const carrier of carriers) {
    it(`ends in order when the server stops at that moment (${nameOf(carrier)})`, async () => {
      const world = await EndWorld.open(carrier)
      const stopped = new Promise((resolve) => {
        world.server.once('connected', () => resolve(world.server.stop({ drain: 0 })))
      })
      world.client = await world.make([])
      const reported = new Promise<string>((resolve) => {
        world.client.once('disconnected', (_session, error) => resolve(error?.code ?? 'clean'))
        // One that was over before it was of use is no session to the client.
        world.client.once('reconnecting', ({ error }) => resolve(error.code))
      })
      const started = world.client.start().catch(() => {})
      await stopped
      expect(await reported, 'the client').to.equal('session.closing')
      await until(() => world.there.reported, 'the server tells of it')
      expect(world.there.first).to.deep.equal({ hook: 'clean', event: 'clean', runtime: 'clean' })
      await world.client.stop({ drain: 0 })
      await started
    })
  }
})

describe('a session whose listener a reload removes', () => {
  afterEach(cleanUp)

  it('goes on, and no end is reported', async () => {
    const world = await EndWorld.open({ transport: 'tcp', muxer: 'yamux' })
    const { here, there } = world
    const local = await startService(echo)
    world.client = await world.join([svc(local)])
    await world.server.reload(
      world.serverConfig({ listen: [{ transport: 'ws', host: '127.0.0.1', port: 0 }] }, [transportWs()])
    )
    const visitor = await visit(visitorPort(world.client, 'svc'))
    visitor.write('a')
    await once(visitor, 'data')
    expect(world.server.listening.map(({ transport }) => transport)).to.deep.equal(['ws'])
    expect([here, there].map(({ sessions, trouble }) => [...sessions.event, ...trouble])).to.deep.equal([[], []])
  })
})

describe('a session that its server ends at once', () => {
  afterEach(cleanUp)

  for (const carrier of carriers) {
    it(`is over before the client dials the next one (${nameOf(carrier)})`, async () => {
      const world = await EndWorld.open(carrier)
      world.client = await world.join([svc(await startService(echo))])
      const tried = new Promise<number>((resolve) => {
        world.client.once('reconnecting', () => resolve(world.here.sessions.hook.length))
      })
      closeAll(world)
      expect(await tried, 'sessions that are over').to.equal(1)
    })
  }

  it('is left all the same when the server does not end it', async () => {
    const world = await EndWorld.open({ transport: 'tcp', muxer: 'yamux' })
    world.client = await world.join([svc(await startService(echo))])
    const [session] = world.server.runtime.sessions() as Iterable<SessionHandle & SaysItEnds>
    const back = once(world.client, 'connected')
    await session?.retire(0, 'reload', new RystraError(closing, { side: 'server' }))
    await back
    expect(world.here.first.event).to.equal('session.closing')
  })
})
