import { once } from 'node:events'
import net from 'node:net'
import authToken from '@rystra/auth-token'
import { Kernel } from '@rystra/kernel'
import { encode } from '@rystra/protocol'
import type { Server } from '@rystra/server'
import { authenticateToServer } from '@rystra/session'
import { expect } from 'chai'
import {
  cleanUp,
  echo,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  token,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const header = (type: number, flags: number, id: number, length: number): Buffer => {
  const frame = Buffer.alloc(12)
  frame.writeUInt8(type, 1)
  frame.writeUInt16BE(flags, 2)
  frame.writeUInt32BE(id, 4)
  frame.writeUInt32BE(length, 8)
  return frame
}

const [DATA, WINDOW, PING] = [0, 1, 2]
const [SYN, FIN, RST] = [1, 4, 8]

const data = (id: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([header(DATA as number, 0, id, bytes.length), bytes])

/** A client that is accepted, on yamux, and then writes what it likes. It does not read. */
const rogue = async (server: Server): Promise<net.Socket> => {
  const kernel = new Kernel({ side: 'client' })
  await kernel.provision([authToken({ token })])
  const socket = net.connect({ host: '127.0.0.1', port: portOf(server), noDelay: true })
  socket.on('error', () => {})
  later(() => socket.destroy())
  await once(socket, 'connect')
  await authenticateToServer(socket, {
    offer: { id: 'rogue', instance: 'r', agent: 'rogue', muxers: ['yamux'] },
    authenticators: kernel.current.registries.authenticators,
    peer: { address: '127.0.0.1', port: 0 },
    signal: new AbortController().signal
  })
  socket.pause()
  // The control stream, with a window as large as there is.
  socket.write(
    Buffer.concat([header(WINDOW as number, SYN as number, 1, 0), header(WINDOW as number, 0, 1, 0xffffffff)])
  )
  return socket
}

/** Another visitor is served so often while nothing of a full socket is taken: its reader has stopped. */
const ROUNDS = 10
/** Turns of the event loop between two of them, in which a reader that goes on makes room. */
const TURNS = 100

/** Writes the same again until the other side takes no more, though it serves others, or hangs up. */
const flood = async (socket: net.Socket, chunk: Buffer, most: number, works: () => Promise<void>): Promise<number> => {
  let sent = 0
  for (let round = 0; sent < most && !socket.destroyed && round < ROUNDS; ) {
    if (!socket.writableNeedDrain) {
      sent += chunk.length
      socket.write(chunk)
      round = 0
    } else {
      for (let turn = 0; turn < TURNS && socket.writableNeedDrain; turn += 1)
        await new Promise((resolve) => setImmediate(resolve))
      if (!socket.writableNeedDrain) continue
      round += 1
      await works()
    }
  }
  return sent
}

describe('a server with a hostile client on yamux', () => {
  afterEach(cleanUp)

  const tunnel = async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [{ name: 'a', kind: 'tcp', local: await startService(echo) }])
    const works = async (): Promise<void> => {
      const socket = await visit(visitorPort(client, 'a'))
      socket.end('unharmed')
      expect((await readAll(socket)).toString()).to.equal('unharmed')
      expect(client.session).not.to.equal(undefined)
    }
    return { server, works }
  }

  const many = (count: number, frame: (index: number) => Buffer): Buffer =>
    Buffer.concat(Array.from({ length: count }, (_, i) => frame(i)))

  for (const [what, chunk] of [
    ['pings', many(4000, (i) => header(PING as number, SYN as number, 0, i))],
    ['streams', many(4000, (i) => header(WINDOW as number, SYN as number, 3 + 2 * i, 0))],
    [
      'streams that it resets',
      many(4000, (i) => header(WINDOW as number, (SYN as number) | (RST as number), 3 + 2 * i, 0))
    ],
    [
      'streams that it ends',
      many(4000, (i) => header(WINDOW as number, (SYN as number) | (FIN as number), 3 + 2 * i, 0))
    ],
    ['windows of 4 GiB', many(4000, () => header(WINDOW as number, 0, 1, 0xffffffff))],
    [
      'heartbeats',
      data(
        1,
        many(1500, (seq) => Buffer.from(encode({ type: 'Heartbeat', seq, time: 1 })))
      )
    ]
  ] as const) {
    it(`that floods it with ${what} and never reads takes neither its memory nor others' time`, async () => {
      const { server, works } = await tunnel()
      const before = process.memoryUsage().rss
      const socket = await rogue(server)
      await flood(socket, chunk, 24 * 1024 * 1024, works)
      await works()
      expect(process.memoryUsage().rss - before).to.be.lessThan(160 * 1024 * 1024)
      socket.destroy()
      await until(() => server.sessions.length === 1)
      await works()
    })
  }

  it('that takes streams and never reads stops its own visitors alone', async () => {
    const { server, works } = await tunnel()
    const socket = await rogue(server)
    const published = once(server, 'published')
    socket.write(data(1, encode({ type: 'RegisterProxy', request: 1, spec: { name: 'hole', kind: 'tcp' } })))
    const [{ address }] = await published
    const port = Number(address.split(':').at(-1))
    const visitors = await Promise.all(Array.from({ length: 10 }, () => visit(port)))
    await until(() => server.streams === 10)
    socket.write(many(10, (i) => header(WINDOW as number, 0, 2 + 2 * i, 0xffffffff)))
    const before = process.memoryUsage().rss
    const sent = await Promise.all(
      visitors.map((visitor) => flood(visitor, Buffer.alloc(256 * 1024), 64 * 1024 * 1024, works))
    )
    expect(Math.min(...sent)).to.be.lessThan(64 * 1024 * 1024)
    expect(process.memoryUsage().rss - before).to.be.lessThan(160 * 1024 * 1024)
    await works()
    socket.destroy()
    await until(() => server.streams === 0)
  })
})
