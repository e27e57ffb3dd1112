import { silentLog } from '@rystra/plugin'
import type { Message } from '@rystra/protocol'
import type { Session } from '@rystra/session'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { dialPeer } from '../../framework/cluster/src/dial-peer.js'
import { askAt, ClusterWorld } from './cluster-world.js'
import { cleanUp, echo, failure, freePort, later, portOf, startClient, startService, visitorPort } from './tunnel.js'

const A = '127.0.0.1'

/** A member with a valid certificate that breaks the rules. */
describe('a server of a cluster that lies', () => {
  afterEach(cleanUp)

  const start = async () => {
    const world = await ClusterWorld.open()
    const port = await freePort()
    const a = await world.start('a', { cluster: { port } })
    await world.certify('rogue')
    const clock = { now: () => Date.now(), after: () => () => {} }
    const session = await dialPeer(
      { name: 'a', host: A, port },
      {
        config: {
          ...world.member('rogue'),
          cluster: 'rystra',
          transport: 'tls',
          host: A,
          port: 0,
          lease: 60_000,
          grace: 0
        },
        instance: 'rogue',
        agent: 'rogue',
        generations: a.kernel,
        ports: { listenTcp: () => Promise.reject(new Error('not used')) },
        clock,
        log: silentLog
      },
      AbortSignal.timeout(10_000),
      () => {}
    )
    later(() => session.destroy())
    const client = await startClient(portOf(a), [{ name: 'x', kind: 'tcp', local: await startService(echo) }])
    return { a, session, client, id: client.session?.id ?? '', port: visitorPort(client, 'x') }
  }

  /** The error that a stream with this head gets. */
  const refusal = async (session: Session, head: object): Promise<string> => {
    const stream = await session.open(() => head as Message)
    const { code } = await failure(stream.ready())
    return code
  }

  const serves = async (a: Server, port: number): Promise<void> => {
    expect(await askAt(A, port, 'hello')).to.equal('hello')
    expect(a.sessions.length).to.equal(1)
  }

  const visit = (details: object) => ({
    type: 'OpenStream',
    id: '1',
    proxy: 'x',
    visitor: ['192.0.2.1', 1],
    to: ['192.0.2.2', 2],
    details
  })
  const channel = (details: object, name = 'rpc') => ({ type: 'OpenChannel', id: '1', name, details })

  it('gets no stream to a session that is not there, to another proxy, or by a second hop', async () => {
    const { a, session, id, port } = await start()
    const cases: [object, string][] = [
      [visit({ hop: 2, session: id, spec: 's' }), 'cluster.loop'],
      [visit({ hop: 0, session: id, spec: 's' }), 'cluster.loop'],
      [visit({ session: id, spec: 's' }), 'cluster.loop'],
      [visit({ hop: 1, session: 'none', spec: 's' }), 'cluster.not-here'],
      [visit({ hop: 1, session: id, spec: 'another' }), 'cluster.not-here'],
      [visit({ hop: 1, session: [id], spec: 's' }), 'protocol.malformed'],
      [visit({ hop: 1, session: id, spec: 's', timeout: -1 }), 'protocol.malformed'],
      [channel({ hop: 1, session: 'none', end: 'client' }), 'cluster.not-here'],
      // It has no client of that id: that one opened nothing.
      [channel({ hop: 1, session: id, end: 'server' }), 'cluster.not-here'],
      [channel({ hop: 2, session: id, end: 'client' }), 'cluster.loop'],
      [channel({ session: 'none', ms: 10 }, 'cluster-probe'), 'cluster.not-here'],
      [channel({ session: id, ms: 'soon' }, 'cluster-probe'), 'protocol.malformed'],
      [channel({ request: 'admin', body: {} }, 'cluster-request'), 'channel.unknown'],
      [channel({ request: 7 }, 'cluster-request'), 'protocol.malformed'],
      [channel({}, 'other'), 'channel.unknown']
    ]
    for (const [head, code] of cases) expect(await refusal(session, head), JSON.stringify(head)).to.equal(code)
    await serves(a, port)
  })

  it('floods only itself', async () => {
    const { a, session, id, port } = await start()
    const heads = Array.from({ length: 500 }, (_, index) =>
      index % 2 === 0
        ? visit({ hop: 1, session: id, spec: 'another' })
        : channel({ session: 'none', ms: 1 }, 'cluster-probe')
    )
    const codes = await Promise.all(heads.map((head) => refusal(session, head)))
    expect([...new Set(codes)]).to.deep.equal(['cluster.not-here'])
    for (let index = 0; index < 1000; index += 1)
      session.send({ type: 'Notice', proxy: 'x', notice: { session: 'none', notice: { index } } })
    await serves(a, port)
  })

  it('ends its own link with what is no message between servers, and nothing else', async () => {
    const { a, session, port } = await start()
    session.send({ type: 'UnregisterProxy', name: 'x' } as Message)
    await serves(a, port)
    expect(a.proxies.length).to.equal(1)
  })
})
