import type { Client } from '@rystra/client'
import { RystraError } from '@rystra/model'
import { defineExtension, type Runtime } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { until } from '@rystra/testkit'
import muxDirect from '@rystra/mux-direct'
import { cleanUp, echo, portOf, startClient, startServer, startService, turns, visit, visitorPort } from './tunnel.js'

/** An extension that looks at what runs at its end. */
const watcher = (seen: Map<string, Runtime>) =>
  defineExtension({
    name: 'watcher',
    setup: ({ role, runtime }) => ({ start: () => void seen.set(role, runtime) })
  })()

const gone = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', () => resolve())
  })

describe('extensions of both ends', () => {
  afterEach(cleanUp)

  const world = async (muxer = 'yamux') => {
    const seen = new Map<string, Runtime>()
    const server = await startServer({}, [watcher(seen)])
    const local = await startService(echo)
    const proxies = [{ name: 'x', kind: 'tcp', local }]
    const client = await startClient(portOf(server), proxies, { muxer }, [watcher(seen)])
    const ends = [seen.get('server'), seen.get('client')] as Runtime[]
    return { server, client, ends }
  }

  const opened = async (client: Client) => {
    const visitor = await visit(visitorPort(client, 'x'))
    visitor.write('hello')
    await once(visitor, 'data')
    return visitor
  }

  it('see sessions, proxies and streams, with what they have carried', async () => {
    const { client, ends } = await world()
    const visitor = await opened(client)
    for (const end of ends) {
      const [stream, ...others] = [...end.streams()]
      expect(others).to.deep.equal([])
      const { visitor: from, proxy, session } = stream?.info ?? {}
      expect([from?.port, proxy?.name, session?.identity.id]).to.deep.equal([visitor.localPort, 'x', 'home'])
      const stats = stream?.stats()
      expect(stats).to.include({ bytesToService: 5, bytesToVisitor: 5, paused: false })
      expect(stats?.connectTime).to.be.within(0, 5000)
      expect(stats?.openedAt).to.be.closeTo(Date.now(), 60_000)
      const [published] = [...end.proxies()]
      expect(published?.info.spec.name).to.equal('x')
      expect(published?.info.address).to.include(String(visitorPort(client, 'x')))
      const carried = { streams: 1, opened: 1, bytesToService: 5, bytesToVisitor: 5 }
      expect(published?.stats()).to.include(carried)
      expect(published?.stats().connectTimes.count).to.equal(1)
      const [of] = [...end.sessions()]
      expect(of?.info.id).to.equal(client.session?.id)
      expect(of?.stats()).to.include({ ...carried, proxies: 1 })
    }
    visitor.end()
    await gone(visitor)
    for (const end of ends) {
      await until(() => [...end.streams()].length === 0, 'the stream is over')
      const [published] = [...end.proxies()]
      expect(published?.stats()).to.include({ streams: 0, opened: 1, bytesToService: 5, bytesToVisitor: 5 })
    }
  })

  for (const muxer of ['yamux', 'direct']) {
    for (const [index, side] of ['server', 'client'].entries()) {
      it(`may close a stream at the ${side}, and no other (${muxer})`, async () => {
        const { client, server, ends } = await world(muxer)
        const [victim, other] = [await opened(client), await opened(client)]
        const closed: unknown[] = []
        ;(side === 'server' ? server : client).on('streamClose', ({ error }) => closed.push(error?.code))
        const cut = gone(victim)
        const end = ends[index] as Runtime
        const handle = [...end.streams()].find(({ info }) => info.visitor.port === victim.localPort)
        handle?.close(new RystraError('stream.limit'))
        await cut
        await until(() => closed.length > 0, 'it is reported')
        expect(closed).to.deep.equal(['stream.limit'])
        other.write('still here')
        await once(other, 'data')
      })
    }
  }

  /** Both ends, the service and the visitors are in this process. */
  const sockets = (): number => process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length

  for (const muxer of ['yamux', 'direct']) {
    for (const at of ['server', 'client']) {
      it(`may close streams about which hooks of the ${at} are pending, and none keeps a socket (${muxer})`, async () => {
        const seen = new Map<string, Runtime>()
        let waiting = 0
        let go = (): void => {}
        const held = new Promise<void>((resolve) => {
          go = resolve
        })
        const slow = defineExtension({
          name: 'slow',
          setup: ({ role, hooks }) => {
            if (role !== at) return
            hooks.onOpenStream.tapPromise(async () => {
              waiting += 1
              await held
            })
          }
        })()
        const server = await startServer({}, [watcher(seen), slow, muxDirect({ ready: 2, maxReady: 4 })])
        const proxies = [{ name: 'x', kind: 'tcp', local: await startService(echo) }]
        const client = await startClient(portOf(server), proxies, { muxer }, [watcher(seen), slow])
        const port = visitorPort(client, 'x')
        await until(() => sockets() >= (muxer === 'direct' ? 6 : 2), 'the links are ready')
        const before = sockets()
        const visitors = await Promise.all(Array.from({ length: 20 }, () => visit(port)))
        for (const visitor of visitors) visitor.write('hello')
        await until(() => waiting === 20, 'hooks are pending for all')
        const cut = visitors.slice(10).map(gone)
        for (const visitor of visitors.slice(0, 10)) visitor.resetAndDestroy()
        const leaving = new Set(visitors.slice(10).map(({ localPort }) => localPort))
        for (const stream of [...(seen.get(at) as Runtime).streams()])
          if (leaving.has(stream.info.visitor.port)) stream.close()
        await Promise.all(cut)
        for (const end of seen.values()) await until(() => [...end.streams()].length === 0, 'no stream is left')
        // The pool of links may have grown, to twice its size.
        const spare = muxer === 'direct' ? 4 : 0
        await until(() => sockets() <= before + spare, 'the sockets are closed')
        go()
        await turns(10)
        await until(() => sockets() <= before + spare, 'none is left by what was opened too late')
      })
    }
  }

  it('may take a proxy back, and end a session', async () => {
    const { client, server, ends } = await world()
    const [atServer] = ends as [Runtime]
    const codes: unknown[] = []
    client.on('unpublished', (_proxy, error) => codes.push(error?.code))
    for (const proxy of [...atServer.proxies()]) proxy.close()
    await until(() => codes.length > 0, 'the client is codes')
    expect([codes, server.proxies.length]).to.deep.equal([['proxy.refused'], 0])
    const before = client.session?.id
    const again = once(client, 'connected')
    for (const session of [...atServer.sessions()]) session.close(new RystraError('session.limit', { side: 'server' }))
    await again
    expect(client.session?.id).not.to.equal(before)
  })
})
