import { expect } from 'chai'
import type { Duplex } from 'node:stream'
import {
  blackhole,
  corrupt,
  cut,
  delay,
  duplexPair,
  FakeClock,
  type Faults,
  faulty,
  split,
  splitAtRandom,
  stall,
  throttle,
  turns
} from '../src/index.js'
import { Inbox, send } from '../src/kit/streams.js'
import { Scope } from '../src/kit/scope.js'

const scope = new Scope(2_000)
const pairWith = (faults: Faults): [Duplex, Duplex] => {
  const [one, other] = duplexPair()
  return [faulty(one, faults), other]
}
const sizes = (stream: Duplex): number[] => {
  const seen: number[] = []
  stream.on('data', (chunk: Buffer) => seen.push(chunk.length))
  return seen
}

describe('a faulty stream', () => {
  it('without faults is as good as the one below', async () => {
    const [one, other] = pairWith({})
    const [near, far] = [new Inbox(one, 5), new Inbox(other, 9)]
    send(one, 9, 300_000)
    await far.cameWhole(scope, 300_000, 'far')
    send(other, 5, 300_000)
    await near.cameWhole(scope, 300_000, 'near')
    await scope.until(() => near.closed && far.closed, 'both to close')
    expect([near.error, far.error]).to.deep.equal([undefined, undefined])
  })

  it('passes resets both ways, at once', async () => {
    for (const from of [0, 1] as const) {
      const ends = pairWith({ out: [stall().fault], in: [stall().fault] })
      const boxes = ends.map((end) => new Inbox(end))
      ends[from].destroy(new Error('given up'))
      await (boxes[1 - from] as Inbox).cameReset(scope, 'the other end')
    }
  })

  it('holds a writer back whose bytes do not get through', async () => {
    const gate = stall(10)
    const [one, other] = pairWith({ out: [gate.fault] })
    const far = new Inbox(other, 0)
    let taken = 0
    while (one.write(Buffer.alloc(0)) && taken < 10) taken++
    send(one, 0, 1_000_000)
    await turns(50)
    expect(far.length).to.equal(10)
    expect(one.writableNeedDrain, 'it is held back').to.equal(true)
    gate.open()
    await far.cameWhole(scope, 1_000_000, 'far')
  })

  it('splits at every byte, in the direction that was named', async () => {
    const [one, other] = pairWith({ out: [split()] })
    const [seenFar, seenNear] = [sizes(other), sizes(one)]
    one.end('abcdef')
    other.end('abcdef')
    await scope.until(() => one.closed && other.closed, 'both to close')
    expect([seenFar, seenNear]).to.deep.equal([[1, 1, 1, 1, 1, 1], [6]])
  })

  it('splits at random, the same each time', async () => {
    const runs: number[][] = []
    for (const seed of [7, 7, 8]) {
      const [one, other] = pairWith({ out: [splitAtRandom(seed, 50)] })
      const seen = sizes(other)
      const far = new Inbox(other, 3)
      send(one, 3, 1_000)
      await far.cameWhole(scope, 1_000, 'far')
      runs.push(seen)
    }
    expect(runs[0]).to.deep.equal(runs[1]).and.not.deep.equal(runs[2])
    expect(Math.max(...(runs[0] as number[]))).to.be.within(10, 50)
  })

  it('corrupts one byte and no other', async () => {
    const [one, other] = pairWith({ out: [split(4), corrupt(5, 0x01)] })
    const far = new Inbox(other)
    one.end(Buffer.alloc(8))
    await far.cameWhole(scope, 8, 'far')
    expect([...far.bytes]).to.deep.equal([0, 0, 0, 0, 0, 1, 0, 0])
  })

  it('cuts after so many bytes', async () => {
    const [one, other] = pairWith({ out: [cut(7)] })
    const [near, far] = [new Inbox(one), new Inbox(other)]
    one.end(Buffer.alloc(100))
    await near.cameReset(scope, 'near')
    await far.cameReset(scope, 'far')
    expect(far.length).to.be.at.most(7)
  })

  it('swallows what comes, and the end, without telling', async () => {
    const [one, other] = pairWith({ out: [blackhole(3)] })
    const far = new Inbox(other)
    let all = false
    one.end(Buffer.alloc(1_000_000), () => {
      all = true
    })
    await turns(100)
    expect([far.length, far.ended]).to.deep.equal([3, false])
    expect(all).to.equal(false)
    one.destroy()
  })

  it('delays by the clock, with many on their way, in order', async () => {
    const clock = new FakeClock(0)
    const [one, other] = pairWith({ out: [delay(100, { jitter: 20, seed: 3 })], clock })
    const far = new Inbox(other)
    for (const word of ['a', 'b', 'c']) {
      one.write(word)
      await turns(3)
      await clock.pass(10)
    }
    one.end()
    expect(far.length).to.equal(0)
    for (let ms = 30; ms < 150; ms++) {
      expect(far.length, `after ${ms} ms`).to.be.at.most(ms < 100 ? 0 : 3)
      await clock.pass(1)
      await turns(5)
    }
    await far.cameWhole(scope, 3, 'far')
    expect(far.bytes.toString()).to.equal('abc')
  })

  it('throttles by the clock', async () => {
    const clock = new FakeClock(0)
    const [one, other] = pairWith({ out: [throttle(1_000, 10)], clock })
    const far = new Inbox(other, 0)
    send(one, 0, 100)
    for (let step = 1; step < 10; step++) {
      await turns(30)
      expect(far.length, `step ${step}`).to.equal(step * 10)
      clock.advance(10)
    }
    await far.cameWhole(scope, 100, 'far')
  })

  it('can have several faults, first to last', async () => {
    const [one, other] = pairWith({ out: [splitAtRandom(1, 9), corrupt(0), split(2)], in: [split(3)] })
    const far = new Inbox(other)
    one.end('hello')
    await far.cameWhole(scope, 5, 'far')
    expect(far.bytes.subarray(1).toString()).to.equal('ello')
    expect(far.bytes[0]).to.equal('h'.charCodeAt(0) ^ 0xff)
  })
})
