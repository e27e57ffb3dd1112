import { HEADROOM, rawOf } from '@rystra/bytes'
import { nativeStatus } from '@rystra/native'
import { expect } from 'chai'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type net from 'node:net'
import type { Duplex } from 'node:stream'
import { cleanUp, type Pair, quiet, session, sockets, socketPair, streamPair, until } from './ends.js'
import { ending, joined, pattern, received, sum } from './joining.js'
import { data, FIN, frame, Peer, RST, SYN, UPDATE } from './wire.js'

const MIB = 1024 * 1024

const descriptors = (): number => readdirSync('/proc/self/fd').length

describe('a stream that is joined with a socket outside of JavaScript', () => {
  before(function () {
    if (!nativeStatus().used) this.skip()
  })
  afterEach(cleanUp)

  /** What the other end of the link is. */
  const others = { 'the native part': true, JavaScript: false }
  for (const [name, native] of Object.entries(others)) {
    describe(`, the other end by ${name}`, () => {
      const pairOf = async (): Promise<Pair> => {
        const [near, far] = await sockets()
        const client = session(near, 'client')
        const server = session(far, 'server', { native })
        const accepted: Duplex[] = []
        server.onStream = (stream) => accepted.push(quiet(stream))
        return { client, server, accepted }
      }

      it('carries 8 MiB each way at once, and counts them', async () => {
        const [stream, other] = await streamPair(await pairOf())
        const { far, moved, closed } = await joined(stream)
        const [there, back] = [pattern(8 * MIB, 3), pattern(8 * MIB + 1, 5)]
        far.end(there)
        other.end(back)
        const [atOther, atFar] = await Promise.all([received(other), received(far)])
        expect(sum(atOther)).to.equal(sum(there))
        expect(sum(atFar)).to.equal(sum(back))
        await until(() => closed.length === 2, 'both reports')
        expect(closed).to.deep.equal([undefined, undefined])
        expect([moved.written, moved.received]).to.deep.equal([there.length, back.length])
      })

      it('carries a late answer after a half-close, either way round', async () => {
        const pair = await pairOf()
        for (const socketFirst of [true, false]) {
          const [stream, other] = await streamPair(pair)
          const { far, closed } = await joined(stream)
          const [first, second] = socketFirst ? [far, other] : [other, far]
          first.end('question')
          expect(String(await received(second))).to.equal('question')
          const answer = pattern(MIB, 9)
          second.end(answer)
          expect(sum(await received(first))).to.equal(sum(answer))
          await until(() => closed.length === 2, 'both reports')
          expect(closed).to.deep.equal([undefined, undefined])
        }
        await until(() => pair.client.streams + pair.server.streams === 0, 'no stream at either end')
      })

      it('carries resets either way, also behind bytes and behind an end', async () => {
        const pair = await pairOf()
        for (const ended of [false, true]) {
          const [stream, other] = await streamPair(pair)
          const { far, closed } = await joined(stream)
          const seen = ending(other)
          far.write('bytes')
          if (ended) far.end()
          await once(other, 'data')
          far.resetAndDestroy()
          if (!ended) expect(await seen).not.to.equal('end')
          await until(() => closed.length === 2 && other.closed, 'the end')
          expect(closed.every((error) => error !== undefined)).to.equal(true)
        }
        const [stream, other] = await streamPair(pair)
        const { far } = await joined(stream)
        other.write('bytes')
        await once(far, 'data')
        const seen = ending(far)
        other.destroy()
        expect(await seen).to.equal('ECONNRESET')
        await until(() => pair.client.streams + pair.server.streams === 0, 'no stream at either end')
      })

      it('holds a writer back while its reader stops, not those beside it', async () => {
        const pair = await pairOf()
        const [stalled, from] = await streamPair(pair)
        const { far, moved } = await joined(stalled)
        far.pause()
        let written = 0
        const chunk = Buffer.alloc(64 * 1024, 1)
        const write = (): void => {
          while (written < 64 * MIB) {
            written += chunk.length
            if (!from.write(chunk)) return
          }
        }
        from.on('drain', write)
        write()
        const [stream, other] = await streamPair(pair)
        const flowing = await joined(stream)
        const bytes = pattern(4 * MIB, 7)
        other.end(bytes)
        expect(sum(await received(flowing.far))).to.equal(sum(bytes))
        expect(moved.received, 'bounded by the window and the buffers of the kernel').to.be.lessThan(40 * MIB)
        far.resetAndDestroy()
      })

      it('takes over in the middle of a frame, with what was not read yet', async () => {
        const pair = await pairOf()
        const [stream, other] = await streamPair(pair)
        const bytes = pattern(3 * MIB, 11)
        const raw = rawOf(other)
        const memory = Buffer.concat([Buffer.alloc(HEADROOM), bytes])
        raw.write(memory, HEADROOM, memory.length, false)
        // Half of it has arrived and is not read.
        await until(() => pair.client.memory.used > 0, 'the first bytes')
        const { far, moved } = await joined(stream)
        raw.onWritable = () => raw.end()
        expect(sum(await received(far))).to.equal(sum(bytes))
        expect(moved.received).to.be.at.most(bytes.length)
        far.destroy()
      })
    })
  }

  it('gives every descriptor back, whatever ends first', async () => {
    await socketPair().then(({ client, server }) => [client.destroy(), server.destroy()])
    const start = descriptors()
    for (const first of ['socket', 'stream', 'link', 'session', 'other'] as const) {
      const [near, far] = await sockets()
      const client = session(near, 'client')
      const server = session(far, 'server')
      const accepted: Duplex[] = []
      server.onStream = (stream) => accepted.push(quiet(stream))
      const streams: Duplex[] = []
      for (let count = 0; count < 3; count++) streams.push(quiet(await client.open()))
      const all = await Promise.all(streams.map((stream) => joined(stream)))
      for (const { far: socket } of all) socket.write('x')
      if (first === 'socket') for (const { far: socket } of all) socket.resetAndDestroy()
      if (first === 'stream') for (const stream of streams) rawOf(stream).reset()
      if (first === 'link') near.destroy()
      if (first === 'session') client.destroy()
      if (first === 'other') server.destroy()
      await until(() => all.every(({ closed }) => closed.length === 2), `both reports after ${first}`, 3000)
      client.destroy()
      server.destroy()
      for (const { far: socket } of all) socket.destroy()
      near.destroy()
      far.destroy()
      await until(() => descriptors() <= start, `the descriptors after ${first}, ${descriptors()} of ${start}`, 3000)
    }
  })

  it('delivers what the peer has sent and ended when the session closes cleanly', async () => {
    const { client, server, accepted } = await socketPair()
    const [stream, other] = await streamPair({ client, server, accepted })
    const { far } = await joined(stream)
    const bytes = pattern(200_000, 13)
    far.end('question')
    await received(other)
    other.end(bytes)
    server.close()
    expect(sum(await received(far))).to.equal(sum(bytes))
  })

  it('counts in the window of its session until the peer has ended it', async () => {
    const pair = await socketPair()
    const [stream, other] = await streamPair(pair)
    const { far } = await joined(stream)
    expect(pair.client.stats().window).to.equal(256 * 1024)
    other.write(Buffer.alloc(1000))
    await once(far, 'data')
    await until(() => pair.client.stats().window === 256 * 1024 - 1000, 'credit is used')
    other.end()
    await until(() => pair.client.stats().window === 0, 'the end of the peer')
  })

  it('resets its socket when the link is lost', async () => {
    const [near, other] = await sockets()
    const client = session(near, 'client')
    session(other, 'server')
    const { far } = await joined(quiet(await client.open()))
    const seen = ending(far)
    other.destroy()
    expect(await seen).to.equal('ECONNRESET')
  })

  describe('of a peer that violates the protocol', () => {
    const joinedWith = async (): Promise<{ peer: Peer; ended: () => Error | undefined | null; far: net.Socket }> => {
      const [near, wire] = await sockets()
      const peer = new Peer(wire)
      const client = session(near, 'client')
      let ended: Error | undefined | null = null
      client.onClose = (error) => {
        ended = error
      }
      await client.open()
      const stream = quiet(await client.open())
      const { far } = await joined(stream)
      return { peer, ended: () => ended, far }
    }

    it('ends the session for more than its window, and for a second opening', async () => {
      for (const bytes of [frame(UPDATE, SYN, 3, 0), data(3, Buffer.alloc(256 * 1024 + 1))]) {
        const { peer, ended } = await joinedWith()
        peer.write(bytes)
        await until(() => ended() !== null, 'the end of the session')
        expect(ended()).to.have.property('code', 'mux.protocol')
        cleanUp()
      }
    })

    it('resets the stream for data behind the end, and for a reset with payload', async () => {
      for (const bytes of [data(3, 'x', FIN), frame(UPDATE, FIN, 3, 0)]) {
        const { peer, far } = await joinedWith()
        const seen = ending(far)
        peer.write(Buffer.concat([bytes, data(3, 'more')]))
        await until(() => peer.frames.some(({ id, flags }) => id === 3 && (flags & RST) !== 0), 'the reset')
        expect(await seen).to.be.oneOf(['ECONNRESET', 'end'])
      }
      const { peer, far } = await joinedWith()
      const seen = ending(far)
      peer.write(data(3, Buffer.alloc(100_000), RST))
      expect(await seen).to.equal('ECONNRESET')
      peer.write(frame(2, SYN, 0, 7))
      await until(() => peer.frames.some(({ type, length }) => type === 2 && length === 7), 'the answer to a ping')
    })
  })

  it('stays with JavaScript where no descriptor is left, and by its option', async () => {
    const { client } = await socketPair()
    const stream = rawOf(quiet(await client.open()))
    const lost = { fd: -1, pending: Buffer.alloc(0), over: () => {}, attach: () => {} }
    expect(stream.offload?.(lost)).to.equal(undefined)
    const [near] = await sockets()
    expect(rawOf(quiet(await session(near, 'client', { native: false }).open())).offload).to.equal(undefined)
  })
})
