import { HEADROOM, KEEP, pump, rawOf, slabsTaken, takeSlab } from '@rystra/bytes'
import { duplexPair } from '@rystra/testkit'
import { expect } from 'chai'
import type { Duplex } from 'node:stream'
import type { YamuxDuplex } from '../src/duplex.js'
import { Memory, Source } from '../src/memory.js'
import { cleanUp, quiet, session, sink, socketPair, streamPair, turns, until } from './ends.js'
import { DATA, data, frame, SYN, UPDATE, withPeer } from './wire.js'

const WINDOW = 256 * 1024
const MIB = 1024 * 1024

/** Writes up to a limit as far as the stream accepts, and returns the number of bytes. */
const flood = (stream: Duplex, limit: number): { written: number } => {
  const raw = rawOf(stream)
  const memory = Buffer.alloc(HEADROOM + 64 * 1024, 1)
  const state = { written: 0 }
  const more = (): void => {
    while (state.written < limit) {
      state.written += 64 * 1024
      if (!raw.write(memory, HEADROOM, memory.length, false)) return
    }
  }
  raw.onWritable = more
  more()
  return state
}

describe('the flow', () => {
  afterEach(cleanUp)

  it('is told: bytes that wait, streams without credit, and windows that are not used', async () => {
    const { mux, peer } = withPeer()
    let stream: Duplex | undefined
    mux.onStream = (opened) => {
      stream = quiet(opened)
    }
    peer.write(frame(UPDATE, SYN, 1, 0))
    await until(() => stream !== undefined, 'the stream is there')
    await peer.settled()
    expect(mux.stats()).to.deep.equal({ queued: 0, blocked: 0, window: WINDOW })
    const raw = rawOf(stream as Duplex)
    const memory = Buffer.alloc(HEADROOM + WINDOW + 1000, 1)
    expect(raw.write(memory, HEADROOM, memory.length, false)).to.equal(false)
    await peer.settled()
    expect(mux.stats()).to.deep.equal({ queued: 1000, blocked: 1, window: WINDOW })
    peer.write(data(1, Buffer.alloc(5000)))
    await until(() => mux.stats().window === WINDOW - 5000, 'credit is used')
    peer.write(frame(UPDATE, 0, 1, 1000))
    await until(() => mux.stats().queued === 0, 'it is sent')
    expect(mux.stats().blocked).to.equal(0)
  })

  describe('of credit', () => {
    it('gives none for unread bytes', async () => {
      const { mux, peer } = withPeer()
      mux.onStream = (stream) => void quiet(stream)
      peer.write(data(1, Buffer.alloc(WINDOW), SYN))
      await peer.settled()
      expect(peer.of(UPDATE, 1).reduce((sum, { length }) => sum + length, 0)).to.equal(0)
    })

    it('gives it when they are read from a Duplex, and not when they be in the queue of Node', async () => {
      const { mux, peer } = withPeer('server', { maxWindow: WINDOW })
      let stream: Duplex | undefined
      mux.onStream = (opened) => {
        stream = quiet(opened)
        stream.on('readable', () => {})
      }
      const given = (): number => peer.of(UPDATE, 1).reduce((sum, { length }) => sum + length, 0)
      peer.write(data(1, Buffer.alloc(WINDOW), SYN))
      await peer.settled()
      expect(stream?.readableLength).to.be.greaterThan(0)
      expect(given()).to.equal(0)
      let read = 0
      while (read < WINDOW) {
        await turns(1)
        read += (stream?.read() as Buffer | null)?.length ?? 0
      }
      await peer.settled()
      expect(given()).to.equal(WINDOW)
    })

    it('gives it when a raw reader has taken them, and when it resumes after it held them', async () => {
      const { mux, peer } = withPeer('server', { maxWindow: WINDOW })
      const given = (): number => peer.of(UPDATE, 1).reduce((sum, { length }) => sum + length, 0)
      let answer = false
      let stream: Duplex | undefined
      mux.onStream = (opened) => {
        stream = opened
        rawOf(opened).read({ onBytes: () => answer, onEnd() {} })
      }
      peer.write(data(1, Buffer.alloc(WINDOW), SYN))
      await peer.settled()
      expect(given()).to.equal(0)
      answer = true
      rawOf(stream as Duplex).resume()
      await peer.settled()
      expect(given()).to.equal(WINDOW)
    })

    it('tells it at half a window, and not with each frame', async () => {
      const { mux, peer } = withPeer('server', { maxWindow: WINDOW })
      mux.onStream = (stream) => void sink(stream)
      peer.write(frame(UPDATE, SYN, 1, 0))
      for (let index = 0; index < 1000; index++) peer.write(data(1, Buffer.alloc(1024)))
      await peer.settled()
      const updates = peer.of(UPDATE, 1).filter(({ length }) => length > 0)
      expect(updates).to.have.length(Math.floor((1000 * 1024) / (WINDOW / 2)))
    })

    it('gives none after the end', async () => {
      const { mux, peer } = withPeer()
      let stream: Duplex | undefined
      mux.onStream = (opened) => {
        stream = opened
      }
      peer.write(data(1, Buffer.alloc(WINDOW), SYN | 4))
      await peer.settled()
      sink(stream as Duplex)
      await peer.settled()
      expect(peer.of(UPDATE, 1).filter(({ length }) => length > 0)).to.have.length(0)
    })
  })

  describe('of growing windows', () => {
    it('grows on loopback, where a round trip takes no time', async () => {
      const pair = await socketPair()
      const [near, far] = await streamPair(pair)
      const state = sink(far)
      flood(near, 200 * MIB)
      await until(() => state.bytes >= 200 * MIB, 'the bytes', 20_000)
      const grown = (far as YamuxDuplex).stream.receiving.window
      expect(grown).to.be.greaterThan(WINDOW)
      near.destroy()
      await until(() => pair.server.streams === 0, 'the end')
    })

    it('grows for a fast reader, doubles, and stops at the largest', async () => {
      const { mux, peer } = withPeer('server', { maxWindow: MIB })
      mux.onStream = (stream) => void sink(stream)
      peer.write(frame(UPDATE, SYN, 1, 0))
      let credit = WINDOW
      let window = WINDOW
      const seen = new Set<number>()
      for (let round = 0; round < 40; round++) {
        const before = peer.of(UPDATE, 1).length
        const bytes = Math.min(credit, 128 * 1024)
        peer.write(data(1, Buffer.alloc(bytes)))
        credit -= bytes
        await peer.settled()
        for (const { length } of peer.of(UPDATE, 1).slice(before)) credit += length
        window = Math.max(window, credit)
        seen.add(credit)
      }
      expect(window).to.equal(MIB)
    })

    it('does not grow for a slow reader', async () => {
      const { mux, peer } = withPeer('server')
      const readers: (() => void)[] = []
      mux.onStream = (stream) => {
        const raw = rawOf(stream)
        raw.read({ onBytes: () => false, onEnd() {} })
        readers.push(() => raw.resume())
      }
      peer.write(frame(UPDATE, SYN, 1, 0))
      for (let round = 0; round < 8; round++) {
        peer.write(data(1, Buffer.alloc(64 * 1024)))
        await peer.settled()
        await new Promise((resolve) => setTimeout(resolve, 10))
        for (const resume of readers) resume()
      }
      const given = peer.of(UPDATE, 1).reduce((sum, { length }) => sum + length, 0)
      expect(given).to.be.at.most(8 * 64 * 1024)
    })

    it('keeps the sum of what windows grow within half of the session buffer, and takes it back', async () => {
      const pair = await socketPair({ maxSessionBuffer: 8 * MIB })
      const streams: [Duplex, Duplex][] = []
      for (let index = 0; index < 6; index++) streams.push(await streamPair(pair))
      const states = streams.map(([near, far]) => {
        flood(near, 30 * MIB)
        return sink(far)
      })
      await until(() => states.every(({ bytes }) => bytes >= 30 * MIB), 'the bytes', 20_000)
      const grown = pair.server.memory.grown
      expect(grown).to.be.within(1, 4 * MIB)
      for (const [near] of streams) near.destroy()
      await until(() => pair.server.streams === 0, 'the end')
      expect(pair.server.memory.grown).to.equal(0)
    })
  })

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
        await until(() => slabsTaken() === before, `the slabs after ${way}, of which there are ${slabsTaken()}`)
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
