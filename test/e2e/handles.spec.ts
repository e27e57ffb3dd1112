import type { Client } from '@rystra/client'
import { RystraError } from '@rystra/model'
import { defineExtension, type Runtime } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { until } from '@rystra/testkit'
import { cleanUp, echo, portOf, startClient, startServer, startService, visit, visitorPort } from './tunnel.js'

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
      expect(published?.stats()).to.deep.equal(carried)
      const [of] = [...end.sessions()]
      expect(of?.info.id).to.equal(client.session?.id)
      expect(of?.stats()).to.include({ ...carried, proxies: 1 })
    }
    visitor.end()
    await gone(visitor)
    for (const end of ends) {
      await until(() => [...end.streams()].length === 0, 'the stream is over')
      const [published] = [...end.proxies()]
      expect(published?.stats()).to.deep.equal({ streams: 0, opened: 1, bytesToService: 5, bytesToVisitor: 5 })
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
