import { type CountedStream, duplexPair, rawOf } from '@rystra/bytes'
import type { Channel } from '@rystra/plugin'
import { expect } from 'chai'
import { Flag, FrameType } from '../src/frame/types.js'
import { RelayedCalls } from '../src/relayed-work.js'
import { frame } from './frames.js'

const { request, response, error, data, cancel, event } = FrameType
const { more, answer } = Flag

/** Calls of two joined channels, and what each side sends, in pieces of so many bytes. */
const world = (piece = 65_536) => {
  const channel = () => ({ stream: rawOf(duplexPair()[0]) }) as unknown as Channel
  const channels = [channel(), channel()] as const
  const calls = new RelayedCalls()
  const streams = calls.watch(...channels) as [CountedStream, CountedStream]
  let passed = 0
  for (const stream of streams) {
    stream.read({
      onBytes: (_buffer, start, end) => {
        passed += end - start
        return true
      },
      onEnd() {}
    })
  }
  const send = (from: 0 | 1, ...frames: readonly Buffer[]): number => {
    const bytes = Buffer.concat(frames)
    for (let at = 0; at < bytes.length; at += piece)
      streams[from].onBytes(bytes, at, Math.min(at + piece, bytes.length), true)
    return calls.inFlight
  }
  return { calls, channels, send, passed: () => passed }
}

describe('what a drain waits for of relayed calls', () => {
  for (const piece of [1, 3, 8, 65_536])
    it(`is what is not answered, of either side, in pieces of ${piece} bytes`, () => {
      const { channels, calls, send, passed } = world(piece)
      expect(channels.map(({ work }) => work)).to.deep.equal([calls, calls])
      expect(send(0, frame(request, 'aabb', { id: 1 }), frame(request, '', { id: 2 }))).to.equal(2)
      expect(send(1, frame(request, 'cc', { id: 1, flags: more }), frame(event, '', { id: 9 }))).to.equal(3)
      // Parts of a request, and of an answer, are no end of a call.
      expect(send(1, frame(data, 'dd', { id: 1 }))).to.equal(3)
      expect(send(1, frame(response, '00', { id: 1, flags: more }))).to.equal(3)
      expect(send(1, frame(data, 'ee', { id: 1, flags: answer | more }))).to.equal(3)
      expect(send(1, frame(data, 'ff', { id: 1, flags: answer }))).to.equal(2)
      expect(send(1, frame(error, '00', { id: 2 }))).to.equal(1)
      expect(send(0, frame(response, '00', { id: 7 }))).to.equal(1)
      expect(send(0, frame(response, '00', { id: 1 }))).to.equal(0)
      expect(send(0, frame(request, '', { id: 3 }))).to.equal(1)
      // A number of the other side is another call.
      expect(send(1, frame(cancel, '', { id: 3 }))).to.equal(1)
      expect(send(0, frame(cancel, '', { id: 3 }))).to.equal(0)
      expect(passed(), 'all of it is passed on').to.equal(14 * 8 + 10)
    })

  it('sees all bytes: the native part does not move them', () => {
    const movable = (): Channel => {
      const stream = rawOf(duplexPair()[0])
      return {
        stream: Object.assign(stream, { detach: () => undefined, offload: () => undefined })
      } as unknown as Channel
    }
    for (const stream of new RelayedCalls().watch(movable(), movable()))
      expect([stream.detach, stream.offload]).to.deep.equal([undefined, undefined])
  })

  it('is bounded', () => {
    const { send } = world()
    for (let id = 1; id < 5000; id++) send(0, frame(request, '', { id }))
    expect(send(0), 'those that are kept, and one for the others').to.equal(1025)
    for (let id = 1; id < 1025; id++) send(1, frame(response, '', { id }))
    expect(send(0), 'others may be in flight').to.equal(1)
  })
})
