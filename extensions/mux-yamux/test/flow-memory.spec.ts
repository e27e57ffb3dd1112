import { HEADROOM, KEEP, pump, rawOf, slabsTaken, takeSlab } from '@rystra/bytes'
import { duplexPair } from '@rystra/testkit'
import { expect } from 'chai'
import type { Duplex } from 'node:stream'
import { Memory, Source } from '../src/memory.js'
import { cleanUp, session, sink, socketPair, streamPair, turns, until } from './ends.js'
import { DATA, data, frame, SYN, UPDATE, withPeer } from './wire.js'
import { WINDOW, MIB, flood } from './flood.js'

describe('the flow', () => {
  afterEach(cleanUp)

  describe('of slow readers', () => {
    it('holds a writer back when the reader is paused', async () => {
      const [near] = await streamPair(await socketPair())
      const { written } = flood(near, 50 * MIB)
      await turns(50)
      expect(written).to.be.at.most(WINDOW + 64 * 1024)
    })

    it('does not let a stalled stream hold up another', async () => {
      const pair = await socketPair()
      const [stalled] = await streamPair(pair)
      flood(stalled, 50 * MIB)
      const [near, far] = await streamPair(pair)
      const state = sink(far)
      flood(near, 50 * MIB)
      await until(() => state.bytes >= 50 * MIB, 'the bytes of the flowing one', 20_000)
    })

    it('serves streams in turns when the link is slower than they are', async () => {
      const pair = await socketPair({ maxWindow: WINDOW })
      const ends: [Duplex, Duplex][] = []
      for (let index = 0; index < 8; index++) ends.push(await streamPair(pair))
      const states = ends.map(([, far]) => sink(far))
      for (const [near] of ends) flood(near, 200 * MIB)
      await until(() => states.some(({ bytes }) => bytes > 40 * MIB), 'one to get far', 20_000)
      const sums = states.map(({ bytes }) => bytes)
      expect(Math.min(...sums) / Math.max(...sums)).to.be.greaterThan(0.5)
    })

    it('lets a small request through next to a stream in full flow', async () => {
      const pair = await socketPair()
      const [bulk, bulkFar] = await streamPair(pair)
      const [near, far] = await streamPair(pair)
      const state = sink(bulkFar)
      flood(bulk, 2000 * MIB)
      far.pipe(far)
      await until(() => state.bytes > 10 * MIB, 'the flow')
      let answers = 0
      near.on('data', () => {
        answers += 1
        if (answers < 20) near.write('x')
      })
      near.write('x')
      await until(() => answers === 20, 'answers', 8000)
      expect(state.bytes).to.be.lessThan(2000 * MIB)
    })

    it('takes no more memory for frames of one byte than for their bytes', async () => {
      const { mux, peer } = withPeer()
      peer.write(frame(UPDATE, SYN, 1, 0))
      const one = data(1, 'x')
      for (let round = 0; round < 64; round++) peer.write(...Array<Buffer>(1024).fill(one))
      await peer.settled()
      expect(mux.memory.used).to.be.within(64 * 1024, 200 * 1024)
    })

    it('resets the stream that holds the most when all together hold too much, and goes on', async () => {
      const { mux, peer, closed } = withPeer('server', { maxSessionBuffer: MIB })
      const errors = new Map<number, unknown>()
      let opened = 0
      mux.onStream = (stream) => {
        const id = ++opened
        stream.on('error', (error: Error & { code?: string }) => errors.set(id, error.code))
      }
      for (let id = 1; id < 20; id += 2) peer.write(frame(UPDATE, SYN, id, 0), data(id, Buffer.alloc(20_000)))
      await peer.settled()
      expect(errors.size).to.equal(0)
      for (let id = 1; id < 12; id += 2) peer.write(data(id, Buffer.alloc(200_000)))
      await peer.settled()
      expect(errors.size).to.be.within(1, 5)
      expect(new Set(errors.values())).to.deep.equal(new Set(['stream.limit']))
      expect(mux.memory.used).to.be.at.most(MIB)
      expect(closed.times).to.equal(0)
    })

    it('takes little memory for ten thousand streams with one unread byte each', async () => {
      const { mux, peer } = withPeer()
      for (let round = 0; round < 100; round++) {
        const frames: Buffer[] = []
        for (let index = 0; index < 100; index++) frames.push(data((round * 100 + index) * 2 + 1, 'x', SYN))
        peer.write(...frames)
        await peer.settled()
      }
      expect(mux.streams).to.equal(9999)
      expect(mux.memory.used).to.be.lessThan(10_000 * 1500)
    })
  })

  describe('of memory', () => {
    it('leaves lent memory as it was, whatever the window', async () => {
      const { mux, peer } = withPeer('client')
      const raw = rawOf(await mux.open())
      const slab = takeSlab() as Buffer
      const length = 100_000
      for (let index = 0; index < length; index++) slab[HEADROOM + index] = index * 31
      const before = Buffer.from(slab.subarray(HEADROOM, HEADROOM + length))
      const sent = (): Buffer => Buffer.concat(peer.of(DATA, 1).map(({ payload }) => payload))
      // Eats most of the window, so that the rest goes out in pieces.
      raw.write(Buffer.alloc(WINDOW - 30_000), 0, WINDOW - 30_000, false)
      await until(() => sent().length === WINDOW - 30_000, 'the first')
      let through = false
      raw.onWritable = () => {
        through = true
      }
      expect(raw.write(slab, HEADROOM, HEADROOM + length, false)).to.equal(false)
      for (let part = 0; part < 7; part++) {
        await turns(5)
        peer.write(frame(UPDATE, 0, 1, 10_000))
      }
      await until(() => through && sent().length === WINDOW - 30_000 + length, 'the rest')
      expect(
        sent()
          .subarray(WINDOW - 30_000)
          .equals(before)
      ).to.equal(true)
      expect(slab.subarray(HEADROOM, HEADROOM + length).equals(before)).to.equal(true)
    })

    it('holds no memory of the link while it is quiet', () => {
      const source = new Source(new Memory(MIB))
      source.begin(Buffer.alloc(MIB), false)
      expect(source.view(HEADROOM)?.length).to.equal(MIB)
      expect(source.end()).to.equal(true)
      expect([source.buffer.length, source.view(HEADROOM)?.length]).to.deep.equal([0, 0])
    })

    it('touches nothing in front of memory that begins at 0', async () => {
      const { mux, peer } = withPeer('client')
      const raw = rawOf(await mux.open())
      const memory = Buffer.alloc(60_000, 7)
      raw.write(memory.subarray(20_000), 0, 40_000, false)
      await until(() => peer.of(DATA, 1).reduce((sum, { length }) => sum + length, 0) === 40_000, 'the bytes')
      expect(memory.every((byte) => byte === 7)).to.equal(true)
    })

    it('gives slabs back when slow readers are done, when they keep them, and when they are reset', async () => {
      const before = slabsTaken()
      for (const way of ['resume', 'keep', 'reset'] as const) {
        const pair = await socketPair()
        const [near, far] = await streamPair(pair)
        const raw = rawOf(far)
        const held: Buffer[] = []
        let bytes = 0
        let lent = 0
        raw.read({
          onBytes(buffer, start, end, shared) {
            bytes += end - start
            if (shared) return true
            lent += 1
            if (way === 'keep') {
              held.push(buffer.subarray(start, end))
              return KEEP
            }
            setImmediate(() => raw.resume())
            return false
          },
          onEnd() {}
        })
        flood(near, way === 'keep' ? 20 * MIB : 60 * MIB)
        await until(() => bytes >= 10 * MIB && lent > 0, 'some bytes')
        if (way === 'reset') far.destroy()
        else await until(() => bytes >= (way === 'keep' ? 20 : 60) * MIB, 'all bytes', 20_000)
        if (way === 'keep') expect(held.every((each) => each.every((byte) => byte === 1))).to.equal(true)
        near.destroy()
        await until(() => pair.client.streams + pair.server.streams === 0, 'the end')
        await turns(3)
        expect(pair.server.memory.used, way).to.equal(0)
        pair.client.destroy()
        pair.server.destroy()
        await until(() => slabsTaken() <= before, `the slabs after ${way}, of which there are ${slabsTaken()}`)
      }
    })

    it('carries every byte through a chain of relays, from link to link', async () => {
      const one = await socketPair()
      const two = await socketPair()
      const [first, firstFar] = await streamPair(one)
      const [second, secondFar] = await streamPair(two)
      pump(rawOf(firstFar), rawOf(second), () => {})
      const raw = rawOf(secondFar)
      let at = 0
      let wrong = -1
      let ended = false
      raw.read({
        onBytes(buffer, start, end, shared) {
          for (let index = start; index < end; index++, at++) {
            if (buffer[index] !== ((at ^ (at >> 9)) & 0xff) && wrong < 0) wrong = at
          }
          if (at % 7 !== 0) return true
          setImmediate(() => raw.resume())
          return !shared && at % 2 !== 0
        },
        onEnd() {
          ended = true
        }
      })
      // What answers true does not resume; a resume too much does no harm.
      const total = 40 * MIB
      const source = rawOf(first)
      const memory = Buffer.alloc(HEADROOM + 256 * 1024)
      let sent = 0
      let seed = 1
      const more = (): void => {
        while (sent < total) {
          seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
          const size = Math.min(total - sent, 1 + (seed % (seed % 3 === 0 ? 256 * 1024 : 3000)))
          for (let index = 0; index < size; index++, sent++) memory[HEADROOM + index] = sent ^ (sent >> 9)
          const shared = seed % 5 === 0
          if (!source.write(memory, HEADROOM, HEADROOM + size, shared) && sent < total) return
        }
        source.end()
      }
      source.onWritable = more
      more()
      await until(() => ended, 'the end', 25_000)
      expect(wrong).to.equal(-1)
      expect(at).to.equal(total)
    })
  })

  it('gathers small writes of one turn into one, over all streams', async () => {
    const [near, far] = duplexPair()
    const link = rawOf(near)
    const write = link.write.bind(link)
    let writes = 0
    link.write = (...bytes) => {
      writes += 1
      return write(...bytes)
    }
    const mux = session(near, 'client')
    session(far, 'server')
    const streams: Duplex[] = []
    for (let index = 0; index < 20; index++) streams.push(await mux.open())
    await turns(5)
    writes = 0
    for (const stream of streams) rawOf(stream).write(Buffer.from('hello'), 0, 5, true)
    expect(writes).to.equal(0)
    await turns(2)
    expect(writes).to.equal(1)
  })
})
