import { Random } from '@rystra/testkit'
import { expect } from 'chai'
import fc from 'fast-check'
import { FRAGMENT_HEAD_BYTES, fragment, Reassembler } from '../src/stream/fragments.js'
import { NewestQueue } from '../src/stream/newest-queue.js'

const head = (message: number, index: number, count: number, body = 'x'): Buffer => {
  const bytes = Buffer.alloc(FRAGMENT_HEAD_BYTES)
  bytes.writeUInt32BE(message, 0)
  bytes.writeUInt16BE(index, 4)
  bytes.writeUInt16BE(count, 6)
  return Buffer.concat([bytes, Buffer.from(body)])
}

describe('fragments', () => {
  it('are put together in any order, with repetitions and others between', () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.integer({ min: 20, max: 1200 }), fc.nat(), (length, size, seed) => {
        const random = new Random(seed)
        const messages = [random.bytes(length), random.bytes(length)]
        const datagrams = messages.flatMap((data, index) => fragment(index, data, size))
        for (const each of datagrams) expect(each.length).to.be.at.most(size)
        const mixed = [...datagrams, ...datagrams].map((each) => ({ each, order: random.below(1e6) }))
        mixed.sort((a, b) => a.order - b.order)
        const reassembler = new Reassembler()
        const whole = mixed.flatMap(({ each }) => reassembler.push(each, 0) ?? [])
        expect(whole).length(2)
        for (const data of messages) expect(whole.some((each) => each.equals(data))).equal(true)
        expect(reassembler.stats).to.include({ pending: 0, bytes: 0, abandoned: 0 })
      }),
      { numRuns: 60, seed: 1 }
    )
  })

  it('of a message that takes too many, or of no room, are not made', () => {
    expect(() => fragment(0, Buffer.alloc(100_000), 16)).throws(RangeError, '12500 datagrams: 1024 are allowed')
    expect(() => fragment(0, Buffer.alloc(1), 8)).throws(RangeError, 'no room')
    expect(fragment(0, Buffer.alloc(0), 9)).length(1)
    expect(fragment(2 ** 32 + 5, Buffer.alloc(1), 9)[0]?.readUInt32BE(0)).equal(5)
  })

  it('that make no sense are refused, and harm no other message', () => {
    const reassembler = new Reassembler({ maxBytes: 100 })
    expect(reassembler.push(head(1, 0, 2, 'good'), 0)).equal(undefined)
    const bad = [
      Buffer.alloc(3),
      head(2, 0, 0),
      head(2, 2, 2),
      head(2, 0, 1025),
      head(2, 0, 2, ''),
      head(2, 0, 2, 'x'.repeat(101)),
      head(1, 1, 3),
      head(1, 0, 2, 'evil')
    ]
    for (const each of bad) expect(reassembler.push(each, 0)).equal(undefined)
    expect(reassembler.stats).to.include({ refused: bad.length, pending: 1, bytes: 4 })
    expect(reassembler.push(head(1, 1, 2, ' one'), 0)?.toString()).equal('good one')
  })

  it('of messages that are never complete are held within time, number and bytes', () => {
    const reassembler = new Reassembler({ maxMessages: 4, maxBytes: 1000, timeout: 100 })
    for (let message = 0; message < 100; message++) reassembler.push(head(message, 0, 2), 0)
    expect(reassembler.stats).to.include({ pending: 4, bytes: 4, abandoned: 96 })
    for (let message = 200; message < 204; message++) reassembler.push(head(message, 0, 2, 'x'.repeat(400)), 0)
    expect(reassembler.stats.bytes).to.be.at.most(1000)
    reassembler.push(head(300, 0, 2), 101)
    expect(reassembler.stats).to.include({ pending: 1, bytes: 1 })
    for (let index = 0; index < 8; index++) reassembler.push(head(400, index, 20, 'x'.repeat(200)), 101)
    expect(reassembler.stats.bytes).to.be.at.most(1000)
    expect(reassembler.push(head(99, 1, 2), 101)).equal(undefined)
  })

  it('hold for any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 200 }), (datagrams) => {
        const reassembler = new Reassembler({ maxMessages: 3, maxBytes: 50 })
        for (const [now, each] of datagrams.entries()) {
          const bytes = Buffer.from(each)
          if (bytes.length > 7)
            bytes.set([0, 0, 0, (bytes[3] as number) % 5, 0, (bytes[5] as number) % 4, 0, (bytes[7] as number) % 4])
          reassembler.push(bytes, now)
          expect(reassembler.stats.pending).to.be.at.most(3)
          expect(reassembler.stats.bytes).to.be.within(0, 50)
        }
      }),
      { numRuns: 100, seed: 2 }
    )
  })
})

describe('the queue that keeps the newest', () => {
  it('drops the oldest for a new one, by number and by bytes', () => {
    const queue = new NewestQueue<number>({ maxMessages: 3, maxBytes: 100 })
    for (let each = 0; each < 5; each++) queue.push(each, 10, 0)
    expect([queue.size, queue.bytes, queue.dropped]).deep.equal([3, 30, 2])
    queue.push(5, 95, 0)
    expect([queue.size, queue.bytes, queue.dropped]).deep.equal([1, 95, 5])
    queue.push(6, 101, 0)
    expect([queue.shift(0), queue.shift(0), queue.bytes, queue.dropped]).deep.equal([5, undefined, 0, 6])
  })

  it('does not give out what is too old', () => {
    const queue = new NewestQueue<string>({ maxAge: 100 })
    queue.push('old', 1, 0)
    queue.push('new', 1, 50)
    expect([queue.shift(101), queue.dropped, queue.size]).deep.equal(['new', 1, 0])
  })
})
