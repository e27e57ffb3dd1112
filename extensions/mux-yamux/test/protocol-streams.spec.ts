import { expect } from 'chai'
import { cleanUp, quiet, sink, until } from './ends.js'
import { ACK, codeOf, DATA, data, FIN, frame, RST, SYN, UPDATE, withPeer } from './wire.js'

describe('the protocol', () => {
  afterEach(cleanUp)

  describe('of opening', () => {
    it('gives the client odd ids and the server even ones', async () => {
      for (const [side, ids] of [
        ['client', [1, 3, 5]],
        ['server', [2, 4, 6]]
      ] as const) {
        const { mux, peer } = withPeer(side)
        for (const _ of ids) await mux.open()
        await peer.settled()
        const opened = peer.frames.filter(({ type, flags }) => type === UPDATE && flags === SYN)
        expect(opened.map(({ id }) => id)).to.deep.equal(ids)
      }
    })

    it('acknowledges a stream, once', async () => {
      const { peer } = withPeer()
      peer.write(frame(UPDATE, SYN, 1, 0), data(1, 'x'))
      await peer.settled()
      expect(peer.of(UPDATE, 1).filter(({ flags }) => flags === ACK)).to.have.length(1)
    })

    it('takes bytes that come with the SYN, and an end too', async () => {
      const { mux, peer } = withPeer()
      let seen: ReturnType<typeof sink> | undefined
      mux.onStream = (stream) => {
        seen = sink(stream)
      }
      peer.write(data(1, 'hello', SYN | FIN))
      await peer.settled()
      expect(seen).to.include({ bytes: 5, ended: true })
    })

    it('adds a window that comes with the SYN', async () => {
      const { mux, peer } = withPeer()
      mux.onStream = (stream) => quiet(stream).write(Buffer.alloc(300 * 1024))
      peer.write(frame(UPDATE, SYN, 1, 100 * 1024))
      await until(() => peer.of(DATA, 1).reduce((sum, { length }) => sum + length, 0) === 300 * 1024, 'all bytes')
    })

    it('waits while as many as the backlog are unacknowledged, and goes on when one is', async () => {
      const { mux, peer } = withPeer('client', { backlog: 2 })
      const opened: number[] = []
      for (let index = 0; index < 4; index++) void mux.open().then(() => opened.push(index))
      await peer.settled()
      expect(opened).to.deep.equal([0, 1])
      peer.write(frame(UPDATE, ACK, 1, 0))
      await peer.settled()
      expect(opened).to.deep.equal([0, 1, 2])
      peer.write(frame(UPDATE, RST, 3, 0))
      await peer.settled()
      expect(opened).to.deep.equal([0, 1, 2, 3])
    })

    it('takes any frame for an acknowledgement', async () => {
      const { mux, peer } = withPeer('client', { backlog: 1 })
      await mux.open()
      const second = mux.open()
      peer.write(data(1, 'x'))
      await second
    })

    it('gives up a stream that is not acknowledged in time', async () => {
      const { mux } = withPeer('client', { openTimeout: 40 })
      const stream = await mux.open()
      let error: unknown
      stream.on('error', (thrown) => {
        error = thrown
      })
      await until(() => error !== undefined, 'the error')
      expect(codeOf(error)).to.equal('stream.timeout')
      expect(mux.streams).to.equal(0)
    })

    it('rejects what waits too long for its turn, and what is given up meanwhile', async () => {
      const { mux } = withPeer('client', { backlog: 1, openTimeout: 10_000 })
      await mux.open()
      const given = new AbortController()
      const waiting = mux.open(given.signal).catch(codeOf)
      given.abort()
      expect(await waiting).to.equal('stream.reset')
      const { mux: hasty } = withPeer('client', { backlog: 1, openTimeout: 20 })
      await hasty.open()
      // The first is given up after as long, and lets the second in; the third waits for that one without effect.
      const [, third] = await Promise.allSettled([hasty.open(), hasty.open()])
      expect(codeOf((third as PromiseRejectedResult).reason)).to.equal('stream.timeout')
    })

    it('opens no more than maxStreams by itself', async () => {
      const { mux } = withPeer('client', { maxStreams: 2 })
      await mux.open()
      await mux.open()
      expect(await mux.open().catch(codeOf)).to.equal('stream.limit')
    })

    it('resets streams of the other side beyond maxStreams, and keeps nothing of a flood of them', async () => {
      const { mux, peer, closed } = withPeer('server', { maxStreams: 10 })
      for (let round = 0; round < 50; round++) {
        const flood: Buffer[] = []
        for (let index = 0; index < 200; index++) flood.push(frame(UPDATE, SYN, (round * 200 + index) * 2 + 1, 0))
        peer.write(...flood)
        await peer.settled()
      }
      expect(mux.streams).to.equal(9)
      expect(peer.frames.filter(({ flags }) => flags === RST)).to.have.length(10_000 - 10)
      expect(closed.times).to.equal(0)
    })

    it('resets streams that have no handler', async () => {
      const { mux, peer } = withPeer()
      mux.onStream = undefined
      peer.write(frame(UPDATE, SYN, 1, 0))
      await peer.settled()
      expect(peer.has(UPDATE, RST, 1)).to.equal(true)
    })

    it('stops when all ids are used up', async () => {
      const { mux, peer } = withPeer('client', {}, 0xffff_fffd)
      await mux.open()
      await mux.open()
      expect(await mux.open().catch(codeOf)).to.equal('mux.closed')
      await peer.settled()
      expect(peer.has(UPDATE, SYN, 0xffff_ffff)).to.equal(true)
    })

    it('does not count the stream of the control messages', async () => {
      const { mux, peer } = withPeer('client')
      await mux.open()
      expect(mux.streams).to.equal(0)
      await mux.open()
      expect(mux.streams).to.equal(1)
      peer.cut()
    })
  })

  describe('of ending', () => {
    it('takes an end on any frame, and a reset too', async () => {
      for (const last of [data(1, 'xyz', FIN), frame(UPDATE, FIN, 1, 7), frame(DATA, FIN, 1, 0)]) {
        const { mux, peer } = withPeer()
        let seen: ReturnType<typeof sink> | undefined
        mux.onStream = (stream) => {
          seen = sink(stream)
        }
        peer.write(frame(UPDATE, SYN, 1, 0), last)
        await peer.settled()
        expect(seen).to.include({ ended: true, closed: false })
      }
      for (const last of [data(1, 'xyz', RST), frame(UPDATE, RST, 1, 0), frame(DATA, RST | FIN, 1, 0)]) {
        const { mux, peer } = withPeer()
        let seen: ReturnType<typeof sink> | undefined
        mux.onStream = (stream) => {
          seen = sink(stream)
        }
        peer.write(frame(UPDATE, SYN, 1, 0), last)
        await peer.settled()
        expect(seen).to.include({ ended: false, closed: true })
        expect(codeOf(seen?.error)).to.equal('stream.reset')
      }
    })

    it('sends FIN once, and nothing for the stream after both ends', async () => {
      const { mux, peer } = withPeer()
      mux.onStream = (stream) => quiet(stream).resume().end('bye')
      peer.write(data(1, 'x', SYN | FIN))
      await until(() => mux.streams === 0 && peer.has(UPDATE, FIN, 1), 'the end')
      await peer.settled()
      expect(peer.of(UPDATE, 1).map(({ flags }) => flags)).to.deep.equal([ACK, FIN])
    })

    it('sends RST when a stream is destroyed after it was ended, so that a writer over there does not wait for ever', async () => {
      const { mux, peer } = withPeer('client')
      const stream = quiet(await mux.open())
      stream.end()
      await until(() => peer.has(UPDATE, FIN, 1), 'the end')
      stream.destroy()
      await until(() => peer.has(UPDATE, RST, 1), 'the reset')
    })

    it('leaves alone what comes for streams that are gone', async () => {
      const { mux, peer, closed } = withPeer('client')
      const stream = quiet(await mux.open())
      stream.destroy()
      await peer.settled()
      peer.write(
        data(1, Buffer.alloc(100_000)),
        frame(UPDATE, 0, 1, 5),
        frame(UPDATE, FIN, 1, 0),
        frame(UPDATE, RST, 1, 0)
      )
      peer.write(data(77, 'never opened'), frame(UPDATE, 0, 0, 1))
      await peer.settled()
      expect(closed.times).to.equal(0)
    })

    it('resets a stream on which bytes come after the end, and only that', async () => {
      const { mux, peer, closed } = withPeer()
      const streams: ReturnType<typeof sink>[] = []
      mux.onStream = (stream) => streams.push(sink(stream))
      peer.write(data(1, 'x', SYN | FIN), data(3, 'x', SYN), data(1, 'more'))
      await peer.settled()
      expect(peer.has(UPDATE, RST, 1)).to.equal(true)
      expect(streams.map((each) => each.closed)).to.deep.equal([true, false])
      expect(closed.times).to.equal(0)
    })

    it('gives up a stream that this side has ended when the other is silent too long', async () => {
      const { mux, peer } = withPeer('client', { closeTimeout: 40 })
      const stream = quiet(await mux.open())
      stream.end()
      await until(() => peer.has(UPDATE, RST, 1), 'the reset')
      expect(mux.streams).to.equal(0)
    })
  })
})
