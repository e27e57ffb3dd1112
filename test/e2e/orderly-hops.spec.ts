import type { Client } from '@rystra/client'
import type { RystraError } from '@rystra/model'
import proxyPrivate from '@rystra/proxy-private'
import { type BoundAddress, RpcClient, RpcServer } from '@rystra/rpc'
import type { Server } from '@rystra/server'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import type net from 'node:net'
import { ClusterWorld } from './cluster-world.js'
import { type Cuttable, cuttable } from './cuttable.js'
import { Journal } from './end-world.js'
import { db, join, toDb, wayIn } from './private-tunnel.js'
import {
  cleanUp,
  echo,
  later,
  portOf,
  startClient,
  startServer,
  startService,
  svc,
  token,
  visit,
  visitorPort
} from './tunnel.js'

/** A visitor whose bytes have been there and back. */
const busyVisit = async (port: number, host?: string): Promise<net.Socket> => {
  const visitor = await visit(port, host)
  visitor.write('a')
  await once(visitor, 'data')
  return visitor
}

const uses = ({ extension }: Journal): never => extension as never

/** What attempts of a client after the end say is no part of it. */
const troubleOf = ({ trouble }: Journal): string[] => trouble.filter((line) => !line.includes('trying again'))

const closing = 'session.closing'

interface HopWorld {
  readonly a: Server
  readonly b: Server
  readonly client: Client
  readonly visitor: net.Socket
  readonly link: Cuttable
}

describe('the end of what a hop of a cluster goes through', () => {
  afterEach(cleanUp)

  const ends: Record<string, { run(world: HopWorld): unknown; server: string; client: string }> = {
    'the client stops': { run: ({ client }) => client.stop({ drain: 0 }), server: 'clean', client: 'clean' },
    'its server stops': { run: ({ a }) => a.stop({ drain: 0 }), server: 'clean', client: closing },
    'the server of the visitor stops': { run: ({ b }) => b.stop({ drain: 0 }), server: 'clean', client: 'clean' },
    'its link is reset': { run: ({ link }) => link.cut(), server: 'session.lost', client: 'session.lost' }
  }
  for (const [name, { run, server, client: atClient }] of Object.entries(ends))
    it(`is reported as what it is by both servers and the client: ${name}`, async () => {
      const [atA, atB, here] = [new Journal(), new Journal(), new Journal()]
      const world = await ClusterWorld.open()
      const a = await world.start('a', { extensions: [uses(atA)], options: { log: atA.log } })
      const b = await world.start('b', { extensions: [uses(atB)], options: { log: atB.log } })
      const link = await cuttable(portOf(a))
      const local = await startService(echo)
      const client = await startClient(link.port, [svc(local)], {}, [uses(here)], { log: here.log })
      atA.follow(a)
      here.follow(client)
      const port = visitorPort(client, 'svc')
      const published = (): Promise<boolean> => visit(port, '127.0.0.2').then(Boolean, () => false)
      await until(published, 'the port at the other server')
      const visitor = await busyVisit(port, '127.0.0.2')
      await run({ a, b, client, visitor, link })
      await until(() => here.streams.includes('reset') && atB.streams.includes('reset'), 'the stream is over')
      await client.stop({ drain: 0 })
      await until(() => atA.reported && here.reported, 'both ends report it')
      await b.stop({ drain: 0 })
      await a.stop({ drain: 0 })
      expect([atA.first.event, here.first.event]).to.deep.equal([server, atClient])
      const lost = server === 'clean' ? [] : ['info disconnected: session.lost']
      expect([atA, atB, here].map(troubleOf), 'logs').to.deep.equal([lost, [], []])
    })
})

interface VisitWorld {
  readonly server: Server
  readonly owner: Client
  readonly visitor: Client
  readonly link: Cuttable
}

describe('the end of what a private visit goes through', () => {
  afterEach(cleanUp)

  /** Codes at the server, the owner, and the client that visits; none where its session goes on. */
  const ends: Record<string, { run(world: VisitWorld): unknown; codes: (string | undefined)[] }> = {
    'the owner stops': { run: ({ owner }) => owner.stop({ drain: 0 }), codes: ['clean', 'clean', undefined] },
    'the visiting client stops': {
      run: ({ visitor }) => visitor.stop({ drain: 0 }),
      codes: ['clean', undefined, 'clean']
    },
    'the server stops': { run: ({ server }) => server.stop({ drain: 0 }), codes: ['clean', closing, closing] },
    "the owner's link is reset": {
      run: ({ link }) => link.cut(),
      codes: ['session.lost', 'session.lost', undefined]
    }
  }
  for (const muxer of ['yamux', 'direct'])
    for (const [name, { run, codes }] of Object.entries(ends))
      it(`is reported as what it is by all three: ${name} (${muxer})`, async () => {
        const carrier = { title: '', connect: { transport: 'tcp', muxer }, uses: [proxyPrivate()] }
        const [there, atOwner, atVisitor] = [new Journal(), new Journal(), new Journal()]
        const server = await startServer({}, [...carrier.uses, uses(there)], { log: there.log })
        const link = await cuttable(portOf(server))
        const at = ({ log, extension }: Journal) => ({ log, more: [extension as never] })
        const proxies = [db(await startService(echo))]
        const owner = await join(carrier, link.port, { id: 'owner', proxies, ...at(atOwner) })
        const visitor = await join(carrier, server, { id: 'visitor', forwards: [toDb()], ...at(atVisitor) })
        const journals = [there, atOwner, atVisitor]
        for (const [index, end] of [server, owner, visitor].entries()) journals[index]?.follow(end)
        await busyVisit(wayIn(visitor))
        await run({ server, owner, visitor, link })
        const isOver = (journal: Journal, index: number): boolean => codes[index] === undefined || journal.reported
        await until(() => journals.every(isOver) && there.streams.length > 0, 'all report it')
        expect(journals.map(({ first }) => first.event)).to.deep.equal(codes)
        const lost = codes[0] === 'clean' ? [] : ['info disconnected: session.lost']
        expect(journals.map(troubleOf), 'logs').to.deep.equal([lost, [], []])
      })
})

describe('the end of a session of RPC by itself', () => {
  afterEach(cleanUp)

  const ends = ['the client stops', 'the server stops', 'its link is reset'] as const
  for (const transport of ['tcp', 'ws', 'quic'])
    for (const name of ends.slice(0, transport === 'quic' ? 2 : 3))
      it(`is reported as what it is by both ends: ${name} (${transport})`, async () => {
        const codes = { server: [] as string[], client: [] as string[] }
        const note = (at: string[]) => (_session: unknown, error?: Error) =>
          void at.push((error as RystraError | undefined)?.code ?? 'clean')
        const server = await RpcServer.builder()
          .bind(`${transport}://127.0.0.1:0`)
          .tokens([{ identity: 'alice', token }])
          .handler('ping', () => 'pong')
          .onDisconnect(note(codes.server))
          .build()
          .start()
        later(() => server.stop(0))
        const { port, join: dial = {} } = server.addresses[0] as BoundAddress
        const link = transport === 'quic' ? undefined : await cuttable(port)
        const client = await RpcClient.builder()
          .to(`${transport}://127.0.0.1:${link?.port ?? port}`, { id: 'one', token, dial })
          .onDisconnect(note(codes.client))
          .connect()
        later(() => client.close())
        await client.request('ping')
        if (name === 'the client stops') await client.close()
        else if (name === 'the server stops') await server.stop(0)
        else link?.cut()
        await until(() => codes.server.length > 0 && codes.client.length > 0, 'both ends report it')
        if (name === 'its link is reset')
          for (const [code] of Object.values(codes)) expect(code).to.be.oneOf(['stream.reset', 'mux.closed'])
        else expect(codes).to.deep.equal({ server: ['clean'], client: ['clean'] })
      })
})
