import { expect } from 'chai'
import fc from 'fast-check'
import type { Duplex } from 'node:stream'
import { cleanUp, quiet, session, turns, until } from './ends.js'
import { ACK, codeOf, DATA, data, FIN, frame, GO_AWAY, Peer, PING, RST, SYN, UPDATE, withPeer } from './wire.js'
import { duplexPair } from '@rystra/testkit'

describe('the protocol', () => {
  afterEach(cleanUp)

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
