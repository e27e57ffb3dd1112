import { FrameDecoder, type Message, SESSION_FRAME_LIMIT } from '@rystra/protocol'
import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { Notices } from '../src/notices.js'

const begin = () => {
  const clock = new FakeClock()
  const writes: Message[][] = []
  const notices = new Notices(clock, (frames) => {
    const decoder = new FrameDecoder(SESSION_FRAME_LIMIT)
    decoder.push(frames)
    const messages: Message[] = []
    for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message)
    writes.push(messages)
  })
  return { clock, writes, notices }
}

describe('notices', () => {
  it('go together in one write, in their order, a moment later', () => {
    const { clock, writes, notices } = begin()
    notices.tell('a', { path: '/1' })
    clock.advance(10)
    notices.tell('b', { path: '/2' })
    expect(writes).to.deep.equal([])
    clock.advance(10)
    notices.tell('a', { path: '/3' })
    clock.advance(1000)
    const seen = writes.map((messages) => messages.map((one) => (one as { notice: object }).notice))
    expect(seen).to.deep.equal([[{ path: '/1' }, { path: '/2' }], [{ path: '/3' }]])
  })

  it('are no more than is of use, and the next one says how many are missing', () => {
    const { clock, writes, notices } = begin()
    for (let count = 0; count < 1500; count++) notices.tell('a', { count })
    clock.advance(1000)
    notices.tell('a', {})
    clock.advance(1000)
    expect(writes.map(({ length }) => length)).to.deep.equal([1000, 1])
    expect(writes[1]?.[0])
      .to.include({ type: 'Notice', proxy: 'a' })
      .and.deep.include({ notice: { lost: 500 } })
  })

  it('are sent at once when the session is about to end, and not at all when it has', () => {
    const { clock, writes, notices } = begin()
    notices.tell('a', { path: '/1' })
    notices.flush()
    expect(writes).to.have.length(1)
    notices.tell('a', { path: '/2' })
    notices.stop()
    clock.advance(1000)
    expect(writes).to.have.length(1)
  })

  it('throw to the caller that makes one that cannot be sent', () => {
    const { clock, writes, notices } = begin()
    expect(() => notices.tell('a', { text: 'x'.repeat(1 << 21) })).to.throw()
    notices.tell('a', {})
    clock.advance(1000)
    expect(writes.map(({ length }) => length)).to.deep.equal([1])
  })
})
