import { expect } from 'chai'
import fc from 'fast-check'
import type { Duplex } from 'node:stream'
import { cleanUp, quiet, session, sink, turns, until } from './ends.js'
import { ACK, DATA, data, FIN, frame, GO_AWAY, Peer, PING, RST, SYN, UPDATE, withPeer } from './wire.js'
import { duplexPair } from '@rystra/testkit'

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code

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

  describe('of the window', () => {
    it('sends no more than the other side has given', async () => {
      const { mux, peer } = withPeer('client')
      const stream = quiet(await mux.open())
      stream.write(Buffer.alloc(1_000_000, 1))
      const sent = (): number => peer.of(DATA, 1).reduce((sum, { length }) => sum + length, 0)
      await until(() => sent() >= 256 * 1024, 'a window')
      await peer.settled()
      expect(sent()).to.equal(256 * 1024)
      peer.write(frame(UPDATE, 0, 1, 1000))
      await until(() => sent() > 256 * 1024, 'what was granted')
      await peer.settled()
      expect(sent()).to.equal(256 * 1024 + 1000)
      peer.write(frame(UPDATE, 0, 1, 0xffff_ffff), frame(UPDATE, 0, 1, 0xffff_ffff))
      await until(() => sent() === 1_000_000, 'the rest')
    })

    it('sends an end although the window is shut, but not before the bytes', async () => {
      const { mux, peer } = withPeer('client')
      const stream = quiet(await mux.open())
      stream.end(Buffer.alloc(256 * 1024 + 1))
      await peer.settled()
      expect(peer.has(UPDATE, FIN, 1)).to.equal(false)
      peer.write(frame(UPDATE, 0, 1, 1))
      await until(() => peer.has(UPDATE, FIN, 1), 'the end')
    })

    it('ends the session of who overruns it, in one frame or in many', async () => {
      for (const frames of [
        [data(1, Buffer.alloc(256 * 1024 + 1), SYN)],
        [data(1, Buffer.alloc(256 * 1024), SYN), data(1, 'x')],
        [frame(DATA, SYN, 1, 0xffff_ffff)],
        [frame(DATA, 0, 9, 0xffff_ffff)]
      ]) {
        const { peer, closed } = withPeer()
        peer.write(...frames)
        await until(() => closed.times === 1, 'the end of the session')
        expect(codeOf(closed.error)).to.equal('mux.protocol')
        expect(peer.of(GO_AWAY).map(({ length }) => length)).to.deep.equal([1])
      }
    })
  })

  describe('of the session', () => {
    it('ends with GoAway when the other side breaks the rules', async () => {
      const bad: [string, Buffer][] = [
        ['version', Buffer.from('010000000000000100000000', 'hex')],
        ['type', frame(4, 0, 1, 0)],
        ['an id of own', frame(UPDATE, SYN, 2, 0)],
        ['id 0', frame(UPDATE, SYN, 0, 0)],
        ['an id twice', Buffer.concat([frame(UPDATE, SYN, 1, 0), frame(UPDATE, SYN, 1, 0)])]
      ]
      for (const [what, bytes] of bad) {
        const { peer, closed } = withPeer()
        peer.write(bytes)
        await until(() => closed.times === 1, `the end after a wrong ${what}`)
        expect(codeOf(closed.error), what).to.equal('mux.protocol')
        expect(
          peer.of(GO_AWAY).map(({ length }) => length),
          what
        ).to.deep.equal([1])
      }
    })

    it('answers pings with their value', async () => {
      const { peer } = withPeer()
      peer.write(frame(PING, SYN, 0, 0), frame(PING, SYN, 0, 0xffff_ffff), frame(PING, ACK, 0, 12345))
      await peer.settled()
      const answers = peer.of(PING).filter(({ flags }) => flags === ACK)
      expect(answers.map(({ length }) => length).slice(0, 2)).to.deep.equal([0, 0xffff_ffff])
    })

    it('lets open streams finish after a GoAway from there, and opens no more', async () => {
      const { mux, peer } = withPeer('client', { backlog: 1 })
      const stream = quiet(await mux.open())
      const waiting = mux.open().catch(codeOf)
      peer.write(frame(GO_AWAY, 0, 0, 0))
      expect(await waiting).to.equal('mux.closed')
      expect(await mux.open().catch(codeOf)).to.equal('mux.closed')
      peer.write(data(1, 'still', FIN))
      stream.end()
      expect(String(Buffer.concat(await stream.toArray()))).to.equal('still')
    })

    it('resets new streams after a GoAway from here, and lets open ones finish', async () => {
      const { mux, peer } = withPeer()
      const streams: Duplex[] = []
      mux.onStream = (stream) => streams.push(quiet(stream))
      peer.write(frame(UPDATE, SYN, 1, 0))
      await peer.settled()
      mux.goAway()
      mux.goAway()
      await peer.settled()
      peer.write(frame(UPDATE, SYN, 3, 0), data(1, 'still', FIN))
      await peer.settled()
      expect(peer.has(UPDATE, RST, 3)).to.equal(true)
      expect(peer.of(GO_AWAY)).to.have.length(1)
      expect(String(Buffer.concat(await (streams[0] as Duplex).toArray()))).to.equal('still')
    })

    it('ends with an error when the other side gives up with a reason', async () => {
      for (const reason of [1, 2, 99]) {
        const { peer, closed } = withPeer()
        peer.write(frame(GO_AWAY, 0, 0, reason))
        await until(() => closed.times === 1, 'the end')
        expect(codeOf(closed.error)).to.equal('mux.protocol')
      }
    })

    it('ends without an error when the link ends and nothing was open, and with one otherwise', async () => {
      for (const [bytes, error] of [
        [[], undefined],
        [[frame(UPDATE, SYN, 1, 0)], 'mux.closed'],
        [[frame(UPDATE, SYN, 1, 0), frame(GO_AWAY, 0, 0, 0)], undefined],
        [[Buffer.from([0, 0])], 'mux.closed']
      ] as const) {
        const { peer, closed } = withPeer()
        await turns(3)
        if (bytes.length > 0) peer.write(...bytes)
        peer.end()
        await until(() => closed.times === 1, 'the end')
        expect(codeOf(closed.error)).to.equal(error)
      }
    })

    it('pings when it is silent, and ends when there is no answer', async () => {
      const { peer, closed } = withPeer('server', { keepAliveInterval: 20, keepAliveTimeout: 40 })
      await until(() => closed.times === 1, 'the end')
      expect(codeOf(closed.error)).to.equal('session.timeout')
      expect(peer.closed || peer.of(PING).length > 0).to.equal(true)
    })

    it('stays as long as it hears anything', async () => {
      const { peer, closed } = withPeer('server', { keepAliveInterval: 20, keepAliveTimeout: 20 })
      let said = 0
      const talking = setInterval(() => {
        said += 1
        peer.write(frame(UPDATE, 0, 99, 1))
      }, 5)
      // Ten times as long as it waits.
      await until(() => said === 40, 'talk')
      clearInterval(talking)
      expect(closed.times).to.equal(0)
    })

    it('pings at each interval also while it hears data, as the line may fall silent right after a check', async () => {
      const { peer, closed } = withPeer('server', { keepAliveInterval: 20, keepAliveTimeout: 20 })
      let answered = 0
      const talking = setInterval(() => {
        for (const ping of peer.of(PING).slice(answered)) peer.write(frame(PING, ACK, 0, ping.length))
        answered = peer.of(PING).length
        peer.write(frame(UPDATE, 0, 99, 1))
      }, 5)
      await until(() => answered >= 5, 'pings')
      clearInterval(talking)
      expect(closed.times).to.equal(0)
    })

    it('ends when the other side talks and does not read', async () => {
      const [near, far] = duplexPair()
      const mux = session(near, 'server', { keepAliveInterval: 20, keepAliveTimeout: 20 })
      let error: unknown
      mux.onClose = (thrown) => {
        error = thrown
      }
      mux.onStream = (stream) => quiet(stream).write(Buffer.alloc(200_000))
      const peer = new Peer(far, false)
      peer.write(frame(UPDATE, SYN, 1, 0))
      const talking = setInterval(() => peer.write(frame(UPDATE, 0, 99, 1)), 5)
      await until(() => error !== undefined, 'the end')
      clearInterval(talking)
      expect(codeOf(error)).to.equal('session.timeout')
    })

    it('ends when the other side asks for answers without reading them, before they take much memory', async () => {
      const floods: [string, (round: number) => Buffer][] = [
        ['pings', () => frame(PING, SYN, 0, 1)],
        ['streams beyond the limit', (round) => frame(UPDATE, SYN, 2 * round + 1, 0)]
      ]
      for (const [what, made] of floods) {
        const [near, far] = duplexPair()
        const mux = session(near, 'server', { maxStreams: 1 })
        let error: unknown
        mux.onClose = (thrown) => {
          error = thrown
        }
        const peer = new Peer(far, false)
        let round = 0
        while (error === undefined && round < 100) {
          const base = round * 1000
          peer.write(...Array.from({ length: 1000 }, (_, index) => made(base + index)))
          round += 1
          await turns(2)
        }
        expect(codeOf(error), what).to.equal('mux.protocol')
        // The link itself takes some; what is queued beyond it is bounded.
        expect(round, `thousands of ${what}`).to.be.lessThan(30)
      }
    })
  })

  describe('of garbage', () => {
    it('survives anything, in any pieces, without an error that escapes', async () => {
      const bits = fc.integer({ min: 0, max: 15 })
      const id = fc.integer({ min: 0, max: 7 })
      const likely = fc.oneof(
        fc
          .tuple(bits, id, fc.uint8Array({ maxLength: 50 }))
          .map(([flags, to, bytes]) => data(to, Buffer.from(bytes), flags)),
        fc.tuple(fc.integer({ min: 1, max: 3 }), bits, id, fc.nat(300_000)).map((fields) => frame(...fields)),
        fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes))
      )
      await fc.assert(
        fc.asyncProperty(
          fc.array(likely, { maxLength: 30 }),
          fc.array(fc.nat(2000), { maxLength: 5 }),
          async (parts, cuts) => {
            const { mux, peer } = withPeer()
            mux.onStream = (stream) => {
              quiet(stream).pipe(stream)
            }
            quiet(await mux.open())
              .resume()
              .write('x')
            const bytes = Buffer.concat(parts)
            let at = 0
            for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
              if (cut <= at) continue
              peer.write(bytes.subarray(at, cut))
              at = cut
              await turns(1)
            }
            peer.end()
            await until(() => peer.closed || peer.ended, 'the end')
            mux.destroy()
            await turns(3)
            expect(mux.streams).to.equal(0)
            expect(mux.memory.used).to.equal(0)
          }
        ),
        { numRuns: 300 }
      )
    })
  })
})
