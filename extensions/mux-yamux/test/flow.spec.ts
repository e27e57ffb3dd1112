import { HEADROOM, rawOf } from '@rystra/bytes'
import { expect } from 'chai'
import type { Duplex } from 'node:stream'
import type { YamuxDuplex } from '../src/duplex.js'
import { cleanUp, quiet, sink, socketPair, streamPair, turns, until } from './ends.js'
import { data, frame, SYN, UPDATE, withPeer } from './wire.js'
import { WINDOW, MIB, flood } from './flood.js'

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
        // The window is measured against the round trip, on the clock of the process: ten milliseconds are many round trips in memory.
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
})
