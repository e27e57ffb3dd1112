import { rawOf } from '@rystra/bytes'
import { nativeStatus } from '@rystra/native'
import { expect } from 'chai'
import { once } from 'node:events'
import type net from 'node:net'
import type { Duplex } from 'node:stream'
import type { YamuxStream } from '../src/stream.js'
import { cleanUp, quiet, session, socketPair, sockets, streamPair, turns, until } from './ends.js'
import { ending, joined, pattern, received, sum } from './joining.js'
import { ACK, DATA, data, FIN, frame, Peer, PING, SYN, UPDATE } from './wire.js'

const MIB = 1024 * 1024

/** Counts the payload of each stream. Reads slowly, and asks for an answer each time. */
const payloads = (wire: net.Socket): Map<number, number> => {
  const bytes = new Map<number, number>()
  const header = Buffer.alloc(12)
  let have = 0
  let left = 0
  wire.on('data', (chunk: Buffer) => {
    wire.pause()
    setImmediate(() => wire.resume())
    wire.write(frame(PING, SYN, 0, 0))
    for (let at = 0; at < chunk.length; ) {
      if (left > 0) {
        const part = Math.min(left, chunk.length - at)
        const id = header.readUInt32BE(4)
        bytes.set(id, (bytes.get(id) ?? 0) + part)
        left -= part
        at += part
      } else {
        const part = chunk.copy(header, have, at)
        have = (have + part) % 12
        at += part
        if (have === 0 && header[1] === DATA) left = header.readUInt32BE(8)
      }
    }
  })
  return bytes
}

describe('a link by the native part', () => {
  before(function () {
    if (!nativeStatus().used) this.skip()
  })
  afterEach(cleanUp)

  it('delivers what the peer has sent and ended when this side closes the session', async () => {
    const pair = await socketPair()
    const [stream, other] = await streamPair(pair)
    const { far } = await joined(stream)
    far.end('question')
    await received(other)
    far.pause()
    // More than the kernel takes.
    const part = pattern(16 * 1024, 3)
    const parts: Buffer[] = []
    while (pair.client.memory.used === 0) {
      parts.push(part)
      other.write(part)
      await turns(1)
    }
    other.end()
    await until(() => (rawOf(stream) as YamuxStream).receiving.ended, 'the end of the peer')
    pair.client.close()
    const chunks: Buffer[] = []
    far.on('data', (chunk: Buffer) => chunks.push(chunk))
    expect(await ending(far)).to.equal('end')
    expect(sum(Buffer.concat(chunks))).to.equal(sum(Buffer.concat(parts)))
  })

  it('knows that a joined stream is in use, so that one which this side has ended is kept', async () => {
    const [near, wire] = await sockets()
    const peer = new Peer(wire)
    const client = session(near, 'client')
    const stream = quiet(await client.open())
    const { far } = await joined(stream)
    far.end()
    await until(() => peer.has(UPDATE, FIN, 1), 'the end')
    const raw = rawOf(stream) as YamuxStream
    expect(raw.heard()).to.equal(false)
    for (const part of ['one', 'two']) {
      peer.write(data(1, part))
      await once(far, 'data')
      expect(raw.heard()).to.equal(true)
      expect(raw.heard()).to.equal(false)
    }
  })

  it('has frames as large as the option allows', async () => {
    const [near, wire] = await sockets()
    const client = session(near, 'client', { frameSize: MIB })
    const server = session(wire, 'server', { frameSize: MIB })
    const accepted: Duplex[] = []
    server.onStream = (stream) => accepted.push(quiet(stream))
    const bytes = pattern(4 * MIB, 5)
    const all: [Duplex, net.Socket][] = []
    for (const _ of [1, 2]) {
      const [stream, other] = await streamPair({ client, server, accepted })
      all.push([other, (await joined(stream)).far])
    }
    for (const [, far] of all) far.end(bytes)
    for (const got of await Promise.all(all.map(([other]) => received(other)))) expect(sum(got)).to.equal(sum(bytes))
  })

  it('takes over what a socket has read ahead, more than its queue holds, and all that follows', async () => {
    const [near, wire] = await sockets()
    const peer = new Peer(wire)
    const count = 20_000
    peer.write(Buffer.concat(Array.from({ length: count }, (_, at) => frame(PING, SYN, 0, at))))
    await until(() => near.readableLength >= near.readableHighWaterMark, 'a full queue')
    session(near, 'client', { keepAliveInterval: 0 })
    const answers = (): number => peer.of(PING).filter(({ flags }) => flags === ACK).length
    await until(() => answers() === count, 'every answer', 5000)
  })

  it('shares a full link between joined streams and those of JavaScript, while the peer asks for answers', async () => {
    const [near, wire] = await sockets()
    quiet(wire)
    const client = session(near, 'client', { keepAliveInterval: 0 })
    const plain = rawOf(quiet(await client.open()))
    const { far } = await joined(quiet(await client.open()))
    for (const id of [1, 3]) wire.write(frame(UPDATE, ACK, id, 1 << 30))
    const seen = payloads(wire)
    const block = Buffer.alloc(MIB)
    const more = (): void => {
      while (far.write(block));
    }
    far.on('drain', more)
    more()
    const write = (): void => {
      while (plain.write(block, 0, 1000, true));
    }
    plain.onWritable = write
    write()
    await until(() => [1, 3].every((id) => (seen.get(id) ?? 0) > 16 * MIB), 'a lot of both')
    expect(seen.get(1), 'bytes of the other meanwhile').to.be.lessThan(256 * MIB)
    far.destroy()
  })

  for (const fullest of ['joined', 'plain'] as const)
    it(`resets the stream with most unread bytes at the limit of memory, of joined ones and others: the ${fullest} one`, async () => {
      const limit = 180_000
      const pair = await socketPair({ maxSessionBuffer: limit })
      const [plain, toPlain] = await streamPair(pair)
      const [stream, toStream] = await streamPair(pair)
      const { far, closed } = await joined(stream)
      far.pause()
      const reset: string[] = []
      const report = (name: string) => (error?: Error) =>
        reset.push(`${name}: ${(error as NodeJS.ErrnoException).code}`)
      rawOf(plain).onClose = report('plain')
      stream.once('error', report('joined'))
      const part = Buffer.alloc(4096)
      const [more, less] = fullest === 'plain' ? [toPlain, toStream] : [toStream, toPlain]
      const fill = async (to: Duplex, enough: () => boolean): Promise<void> => {
        while (!enough()) {
          to.write(part)
          await turns(1)
        }
      }
      // Less than half of the first window, which is all that is certain of it.
      await fill(more, () => pair.client.memory.used > 100_000)
      expect(reset).to.deep.equal([])
      await fill(less, () => reset.length > 0)
      expect(reset).to.deep.equal([`${fullest}: stream.limit`])
      expect(closed.length > 0).to.equal(fullest === 'joined')
      expect(pair.client.memory.used).to.be.at.most(limit)
      far.destroy()
    })
})
