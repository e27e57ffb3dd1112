import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { defineExtension } from '@rystra/plugin'
import type { CloseStreamContext } from '@rystra/plugin'
import proxyPrivate from '@rystra/proxy-private'
import type { Client } from '@rystra/client'
import type { Server } from '@rystra/server'
import { MemoryStreamsNetwork, memoryTransport } from '@rystra/testkit'
import { db, type Join, toDb, type Uses, wayIn } from './private-tunnel.js'
import { cleanUp, later, makeClient, startServer, until } from './tunnel.js'

type Way = 'datagrams' | 'bytes'

/** A server that is reached over links with datagrams, and over links without. */
interface World {
  readonly server: Server
  readonly uses: Uses
}

const startWorld = async (more: Uses = []): Promise<World> => {
  const uses: Uses = [proxyPrivate(), memoryTransport(new MemoryStreamsNetwork())()]
  const at = { host: '127.0.0.1', port: 0 }
  const listen = [
    { transport: 'tcp', ...at },
    { transport: 'memory-streams', ...at }
  ]
  return { server: await startServer({ listen }, [...uses, ...more]), uses }
}

const join = async ({ server, uses }: World, way: Way, { id, proxies = [], forwards = [], more = [] }: Join) => {
  const transport = way === 'datagrams' ? 'memory-streams' : 'tcp'
  const { port } = server.listening.find((one) => one.transport === transport) as { port: number }
  const connect = { transport, host: '127.0.0.1', port, ...(way === 'bytes' ? { muxer: 'yamux' } : {}) }
  const client = await makeClient(port, proxies, { id, forwards: forwards as never, connect }, [...uses, ...more])
  await client.start()
  return client
}

const bound = async (): Promise<dgram.Socket> => {
  const socket = dgram.createSocket('udp4')
  later(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

const echoService = async (): Promise<number> => {
  const service = await bound()
  service.on('message', (message, { port, address }) => service.send(message, port, address))
  return service.address().port
}

const ask = async (forwarder: Client, datagram: Buffer | string): Promise<Buffer> => {
  const socket = await bound()
  socket.send(datagram, wayIn(forwarder), '127.0.0.1')
  return (await once(socket, 'message'))[0] as Buffer
}

/** Sees each chunk of a stream; counts them. */
const tapped = (seen: { bytes: number }) =>
  defineExtension({
    name: 'tapped',
    setup: ({ hooks }) =>
      hooks.onData.tap((chunk) => {
        seen.bytes += chunk.length
      })
  })()

const udp = { protocol: 'udp' }

describe('a private proxy of UDP', () => {
  afterEach(cleanUp)

  for (const [ownerLink, forwarderLink] of [
    ['datagrams', 'datagrams'],
    ['datagrams', 'bytes'],
    ['bytes', 'datagrams'],
    ['bytes', 'bytes']
  ] as const) {
    it(`reaches an owner over ${ownerLink} from a visitor over ${forwarderLink}`, async () => {
      const world = await startWorld()
      await join(world, ownerLink, { id: 'owner', proxies: [db(await echoService(), udp)] })
      const forwarder = await join(world, forwarderLink, { id: 'forwarder', forwards: [toDb(udp)] })
      expect(String(await ask(forwarder, 'small'))).to.equal('small')
      const large = Buffer.alloc(40_000, 'x')
      expect((await ask(forwarder, large)).equals(large)).to.equal(true)
    })
  }

  for (const where of ['server', 'owner', 'forwarder'] as const) {
    it(`shows every datagram to the hooks of the ${where}`, async () => {
      const seen = { bytes: 0 }
      const more = (end: string): Uses => (end === where ? [tapped(seen)] : [])
      const world = await startWorld(more('server'))
      await join(world, 'datagrams', {
        id: 'owner',
        proxies: [db(await echoService(), udp)],
        more: more('owner')
      })
      const forwarder = await join(world, 'datagrams', {
        id: 'forwarder',
        forwards: [toDb(udp)],
        more: more('forwarder')
      })
      for (let count = 0; count < 10; count += 1) await ask(forwarder, Buffer.alloc(100))
      expect(seen.bytes).to.be.at.least(2 * 10 * 100)
    })
  }

  it('keeps to the bandwidth of the owner', async () => {
    const world = await startWorld()
    const service = await bound()
    let got = 0
    service.on('message', (message) => (got += message.length))
    await join(world, 'datagrams', {
      id: 'owner',
      proxies: [db(service.address().port, { ...udp, bandwidth: '1kB' })]
    })
    const forwarder = await join(world, 'datagrams', { id: 'forwarder', forwards: [toDb(udp)] })
    const socket = await bound()
    const send = async (): Promise<void> => {
      await new Promise((resolve) => socket.send(Buffer.alloc(1000), wayIn(forwarder), '127.0.0.1', resolve))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await send()
    await until(() => got > 0)
    const sent = 400
    for (let count = 0; count < sent; count += 1) await send()
    // 64 KiB at once; at a thousand bytes a second the rest is not through in any time a test takes.
    expect(got).to.be.below((sent * 1000) / 2)
  })

  it('counts datagrams among the bytes of its streams, at each end', async () => {
    const world = await startWorld()
    const closed: CloseStreamContext[] = []
    world.server.on('streamClose', (stream) => closed.push(stream))
    const owner = await join(world, 'datagrams', { id: 'owner', proxies: [db(await echoService(), udp)] })
    const forwarder = await join(world, 'datagrams', { id: 'forwarder', forwards: [toDb(udp)] })
    for (const client of [owner, forwarder]) client.on('streamClose', (stream) => closed.push(stream))
    for (let count = 0; count < 10; count += 1) await ask(forwarder, Buffer.alloc(100))
    await forwarder.stop({ drain: 0 })
    await until(() => closed.length === 3)
    for (const { side, bytesToService, bytesToVisitor } of closed) {
      expect(bytesToService, side).to.be.at.least(1000)
      expect(bytesToVisitor, side).to.be.at.least(1000)
    }
  })
})
