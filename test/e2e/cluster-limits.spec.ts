import hookAcl from '@rystra/hook-acl'
import proxyUdp from '@rystra/proxy-udp'
import type { Client } from '@rystra/client'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import type net from 'node:net'
import { ClusterWorld } from './cluster-world.js'
import {
  cleanUp,
  echo,
  freePort,
  later,
  portOf,
  preset as usual,
  startClient,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const A = '127.0.0.1'
const B = '127.0.0.2'
const preset = [...usual, proxyUdp]

/** A visitor that is served, or nothing when it was refused. */
const served = async (host: string, port: number): Promise<net.Socket | undefined> => {
  const socket = await visit(port, host)
  socket.on('error', () => {})
  socket.write('x')
  return new Promise((resolve) => {
    socket.once('data', () => resolve(socket))
    socket.once('close', () => resolve(undefined))
  })
}

const streams = ({ runtime }: Server): number => runtime.stats().streams

/** Visitors that were served, of some at each of two servers. */
const visitAll = async (port: number, each: number): Promise<net.Socket[]> => {
  const visitors = await Promise.all([A, B].flatMap((host) => Array.from({ length: each }, () => served(host, port))))
  return visitors.flatMap((one) => one ?? [])
}

describe('limits of a proxy that several servers serve', () => {
  afterEach(cleanUp)

  const two = async (extensions: unknown[] = []): Promise<{ world: ClusterWorld; a: Server; b: Server }> => {
    const world = await ClusterWorld.open()
    const start = (name: string) => world.start(name, { extensions: extensions as never, options: { preset } })
    return { world, a: await start('a'), b: await start('b') }
  }

  /** A client with sessions at both servers, and one proxy. */
  const replicated = async (a: Server, b: Server, fields: object): Promise<{ client: Client; port: number }> => {
    const port = await freePort()
    const servers = [a, b].map((server) => `127.0.0.1:${portOf(server)}`)
    const client = await startClient(
      portOf(a),
      [{ name: 'x', kind: 'tcp', local: await startService(echo), port, ...fields }],
      { connect: { transport: 'tcp', servers }, redundancy: 2 }
    )
    const listed = ({ runtime: { cluster } }: Server): number => [...(cluster?.proxies() ?? [])].length
    await until(() => listed(a) === 1 && listed(b) === 1, 'each server to know the proxy of the other')
    return { client, port }
  }

  it('count the streams of both, and give a place that is free to either', async () => {
    const { a, b } = await two()
    const { port } = await replicated(a, b, { maxConnections: 5 })
    const visitors = await visitAll(port, 6)
    expect(visitors.length).to.equal(5)
    expect(await served(A, port), 'one more at a').to.equal(undefined)
    expect(await served(B, port), 'one more at b').to.equal(undefined)
    for (const visitor of visitors) visitor.destroy()
    await until(() => streams(a) + streams(b) === 0, 'the visitors to be gone')
    const all = await Promise.all(Array.from({ length: 5 }, () => served(B, port)))
    expect(all.filter((one) => one !== undefined).length, 'all at one of them').to.equal(5)
  })

  it('keep what each was allotted while the engine is away', async () => {
    const { world, a, b } = await two()
    const { port } = await replicated(a, b, { maxConnections: 64 })
    for (const host of [A, B]) (await served(host, port))?.destroy()
    await until(() => streams(a) + streams(b) === 0, 'the visitors to be gone')
    const first = await served(A, port)
    expect(first).not.to.equal(undefined)
    world.directory.away = true
    later(() => {
      world.directory.away = false
    })
    const visitors = await visitAll(port, 40)
    expect(visitors.length).to.be.within(1, 63)
  })

  it('hold for visitors of udp, which each server admits', async () => {
    const { a, b } = await two()
    const service = dgram.createSocket('udp4').bind(0, A)
    later(() => service.close())
    await once(service, 'listening')
    service.on('message', (bytes, from) => service.send(bytes, from.port, from.address))
    const client = await startClient(
      portOf(a),
      [{ name: 'x', kind: 'udp', local: service.address().port, maxConnections: 3 }],
      {},
      [],
      { preset }
    )
    const port = visitorPort(client, 'x')
    const cluster = b.runtime.cluster
    await until(() => [...(cluster?.proxies() ?? [])].length === 1, 'the proxy at the other server')
    let answered = 0
    const visitors = [A, B, A, B, A, B].map((host) => {
      const socket = dgram.createSocket('udp4')
      later(() => socket.close())
      socket.once('message', () => {
        answered += 1
      })
      return { socket, host }
    })
    for (const { socket, host } of visitors) socket.send('x', port, host)
    await until(() => answered >= 3 && streams(a) + streams(b) === 3, 'three visitors to be served')
    for (const { socket, host } of visitors) socket.send('x', port, host)
    const refused = (): number[] => [a, b].map(({ runtime }) => runtime.stats().refused['stream.limit'] ?? 0)
    await until(() => refused().some((count) => count > 0), 'a refusal')
    expect([answered, streams(a) + streams(b)]).to.deep.equal([3, 3])
  })

  it('of an identity hold for what it has at all servers', async () => {
    const { a, b } = await two([hookAcl({ rules: [{ identities: ['*'], quotas: { proxies: 3, streams: 4 } }] })])
    const entry = async (name: string) => ({ name, kind: 'tcp', local: await startService(echo) })
    const first = await startClient(portOf(a), [await entry('x'), await entry('y')], { id: 'first' })
    const second = await startClient(portOf(b), [await entry('x'), await entry('y')], { id: 'second' })
    await until(() => a.proxies.length + b.proxies.length === 3 && second.proxies.length === 1, 'three of four proxies')
    const ports = [visitorPort(first, 'x'), Number(second.proxies[0]?.address.split(':').at(-1))]
    await until(() => [a, b].every(({ runtime }) => [...(runtime.cluster?.proxies() ?? [])].length > 0), 'both')
    const visitors = (await Promise.all(ports.map((port) => visitAll(port, 3)))).flat()
    expect(visitors.length).to.equal(4)
  })

  it('of the bytes of a day hold for all servers together', async () => {
    const { a, b } = await two([hookAcl({ rules: [{ identities: ['*'], quotas: { bytesPerDay: '1MB' } }] })])
    const client = await startClient(portOf(a), [{ name: 'x', kind: 'tcp', local: await startService(echo) }])
    const port = visitorPort(client, 'x')
    await until(() => [...(b.runtime.cluster?.proxies() ?? [])].length === 1, 'the proxy at the other server')
    const chunk = Buffer.alloc(10_000)
    /** Has chunks echoed until the connection is closed, or so many bytes were counted. */
    const use = async (host: string, most = Number.POSITIVE_INFINITY): Promise<number> => {
      const socket = await visit(port, host)
      let received = 0
      let [counted, open] = [0, true]
      let wake = (): void => {}
      socket.on('data', ({ length }) => {
        received += length
        wake()
      })
      socket.once('close', () => {
        open = false
        wake()
      })
      while (open && counted < most) {
        socket.write(chunk)
        const wanted = counted / 2 + chunk.length
        while (open && received < wanted)
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        counted = received * 2
      }
      socket.destroy()
      return counted
    }
    const before = (await use(A, 200_000)) + (await use(B, 200_000))
    const all = before + (await Promise.all([use(A), use(B)])).reduce((sum, one) => sum + one, 0)
    expect(all, 'bytes of both servers').to.be.within(700_000, 1_050_000)
    const refused = async (): Promise<boolean> => (await use(A)) + (await use(B)) === 0
    await until(refused, 'both to refuse what comes later')
  })
})
