import { expect } from 'chai'
import fc from 'fast-check'
import { JitterBuffer } from '../src/stream/jitter-buffer.js'
import { quantile } from './clock-world.js'
import { StreamWorld, type StreamWorldOptions } from './stream-world.js'

const START = Date.UTC(2026, 0, 1)

const message = (seq: number, timestamp = START + seq * 20, bytes = 1) => ({ seq, timestamp, data: seq, bytes })

/** All that are due, by number. */
const drain = (buffer: JitterBuffer<number>, now: number): number[] => {
  const seqs: number[] = []
  for (let next = buffer.pop(now); next !== undefined; next = buffer.pop(now)) seqs.push(next.seq)
  return seqs
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

describe('the jitter buffer', () => {
  const lines: [string, StreamWorldOptions['line']][] = [
    ['30 ± 20 ms', { delay: 10, jitter: 40, loss: 0.02, duplicates: 0.01 }],
    [
      '20 ms and an exponential tail of 8 ms',
      { delay: 20, jitter: 8, distribution: 'exponential', loss: 0.02, duplicates: 0.01 }
    ]
  ]
  for (const [name, line] of lines) {
    it(`has at most 1.5 % late with no more delay than p99 of the jitter and 2 ms: ${name}, 100 ppm`, () => {
      const world = new StreamWorld({ line, ppm: 100 })
      world.run(200_000)
      const { late, received, reordered, duplicate, lost, overflow, refused } = world.buffer.stats
      expect(late / received).to.be.at.most(0.015)
      const jitter = quantile(world.transits, 0.99) - (line.delay ?? 0)
      expect(mean(world.delays)).to.be.at.most(jitter + 2)
      expect([overflow, refused]).deep.equal([0, 0])
      expect(reordered).to.be.above(100)
      // Each number is released, late or lost, but for those that still wait or are on their way.
      const settled = world.released.length + late + lost
      expect(settled).to.be.within(world.sent - 5, world.sent)
      expect(received).equal(world.transits.length)
      expect(duplicate).to.be.within(received * 0.005, received * 0.015)
    })
  }

  it('releases by number, each once, and says how many are missing', () => {
    const buffer = new JitterBuffer<number>({ initialDelay: 100 })
    for (const seq of [0, 2, 1, 4, 2, 7]) buffer.push(message(seq), START + 30)
    expect(drain(buffer, START + 1000)).deep.equal([0, 1, 2, 4, 7])
    expect(buffer.stats).to.include({ received: 6, lost: 3, duplicate: 1, reordered: 1, late: 0, depth: 0 })
    expect(buffer.push(message(3), START + 1000)).equal('late')
    expect(buffer.push(message(3), START + 1000)).equal('duplicate')
    expect(buffer.stats).to.include({ lost: 2, late: 1, duplicate: 2 })
  })

  it('holds each message until its time', () => {
    const buffer = new JitterBuffer<number>({ initialDelay: 40 })
    buffer.push(message(0), START + 10)
    expect(buffer.dueIn(START + 10)).equal(40)
    expect(drain(buffer, START + 49)).deep.equal([])
    expect(drain(buffer, START + 50)).deep.equal([0])
    expect(buffer.dueIn(START + 50)).equal(Infinity)
  })

  it('drops what comes after its time, and holds the next ones longer', () => {
    const buffer = new JitterBuffer<number>({ initialDelay: 20 })
    for (let seq = 0; seq < 10; seq++) buffer.push(message(seq), START + seq * 20)
    expect(buffer.push(message(10), START + 200 + 60)).equal('late')
    expect(buffer.stats.targetDelay).to.be.within(60, 62)
    expect(buffer.push(message(11), START + 220 + 60)).equal('queued')
    expect(drain(buffer, START + 1000)).deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11])
    expect(buffer.stats).to.include({ late: 1, lost: 0 })
  })

  it('grows at once, and shrinks by 50 ms in a second when the line is quiet again', () => {
    let bad = false
    const world = new StreamWorld({ line: { delay: 10, jitter: 1, extra: () => (bad ? 100 : 0) } })
    const target = () => world.buffer.stats.targetDelay
    world.run(10_000)
    expect(target()).to.be.below(3)
    bad = true
    world.run(200)
    expect(target()).to.be.within(100, 105)
    bad = false
    world.run(9000)
    expect(target()).to.be.within(100, 105)
    world.run(1500)
    expect(target()).to.be.within(40, 95)
    world.run(4000)
    expect(target()).to.be.below(3)
  })

  it('keeps to its least and largest delay', () => {
    const world = new StreamWorld({ line: { delay: 10 }, minDelay: 30 })
    world.run(20_000)
    expect(world.buffer.stats.targetDelay).equal(30)
    const bounded = new StreamWorld({ line: { delay: 10, jitter: 400 }, maxDelay: 50 })
    bounded.run(20_000)
    expect(bounded.buffer.stats.targetDelay).equal(50)
    // The fastest trip is the fastest of the last 10 s.
    expect(Math.max(...bounded.delays.slice(-50))).to.be.below(55)
    expect(() => new JitterBuffer({ minDelay: 50, maxDelay: 40 })).throws(RangeError, 'minDelay')
  })

  for (const offset of [-3_600_000, 3_600_000, -2e12]) {
    it(`does not mind the sender's clock: ${offset} ms off, and jumping back`, () => {
      const world = new StreamWorld({ line: { delay: 10, jitter: 5 }, offset })
      world.run(5000)
      expect(world.buffer.stats.late).equal(0)
      world.sender.jump(-offset)
      world.run(1000)
      const { late } = world.buffer.stats
      expect(late).to.be.below(6)
      world.run(5000)
      expect(world.buffer.stats.late).equal(late)
      expect(world.buffer.stats.depth).to.be.below(10)
    })
  }

  it('goes on after its own clock was set back', () => {
    const buffer = new JitterBuffer<number>()
    for (let seq = 0; seq < 10; seq++) buffer.push(message(seq), START + seq * 20)
    const back = START - 3_600_000
    expect(buffer.dueIn(back)).equal(0)
    expect(drain(buffer, back)).length(10)
    for (let seq = 10; seq < 20; seq++) buffer.push(message(seq), back + seq * 20)
    expect(drain(buffer, back + 1400)).to.include(19)
  })

  it('does not let one timestamp of the future hold up the rest for longer than its largest delay', () => {
    const buffer = new JitterBuffer<number>({ maxDelay: 200 })
    buffer.push(message(0), START)
    buffer.push(message(1, Date.UTC(9999, 0, 1)), START + 20)
    for (let seq = 2; seq < 6; seq++) buffer.push(message(seq), START + seq * 20)
    expect(drain(buffer, START + 220)).deep.equal([0, 1, 2, 3, 4, 5])
  })

  it('refuses what is no number, no timestamp and no size', () => {
    const buffer = new JitterBuffer<number>({ maxBytes: 1000 })
    const bad = [
      message(-1),
      message(0.5),
      message(Number.NaN, START),
      message(2 ** 53, START),
      message(0, Number.NaN),
      message(0, -62_167_219_200_000),
      message(0, 253_402_300_800_000),
      message(0, START, 1001),
      message(0, START, Number.NaN)
    ]
    for (const each of bad) expect(buffer.push(each, START)).equal('refused')
    expect(buffer.stats).to.include({ refused: bad.length, depth: 0 })
    expect(buffer.push(message(0), START)).equal('queued')
  })

  it('refuses a number that jumps by 2^40, and goes there only when others follow', () => {
    const far = 2 ** 40
    const buffer = new JitterBuffer<number>()
    for (let seq = 0; seq < 5; seq++) buffer.push(message(seq), START + seq * 20)
    expect(buffer.push(message(far, START + 100), START + 100)).equal('refused')
    expect(buffer.push(message(5), START + 100)).equal('queued')
    expect(buffer.stats.lost).equal(0)
    const outcomes = [1, 2, 3, 4, 5].map((step) => buffer.push(message(far + step, START + 120), START + 120))
    expect(outcomes).deep.equal(['refused', 'refused', 'refused', 'queued', 'queued'])
    expect(drain(buffer, START + 2000)).deep.equal([far + 4, far + 5])
    expect(buffer.stats.lost).equal(0)
    // The sequence does not come back.
    for (let seq = 6; seq < 20; seq++) expect(buffer.push(message(seq), START + 2000)).equal('late')
  })

  it('takes numbers up to 2^53 - 1', () => {
    const last = Number.MAX_SAFE_INTEGER
    const buffer = new JitterBuffer<number>()
    for (const seq of [last - 2, last, last - 1]) expect(buffer.push(message(seq, START), START)).equal('queued')
    expect(drain(buffer, START + 100)).deep.equal([last - 2, last - 1, last])
    expect(buffer.push(message(last, START), START)).equal('duplicate')
  })

  it('does not take replays for new, recent or old', () => {
    const buffer = new JitterBuffer<number>()
    const sent = Array.from({ length: 3000 }, (_, seq) => message(seq))
    for (const each of sent) {
      buffer.push(each, each.timestamp)
      drain(buffer, each.timestamp)
    }
    const released = drain(buffer, START + 100_000).at(-1)
    expect(released).equal(2999)
    const outcomes = new Set(sent.map((each) => buffer.push(each, START + 100_000)))
    expect([...outcomes]).deep.equal(['late', 'duplicate'])
    expect(buffer.stats).to.include({ depth: 0, lost: 0 })
  })

  it('holds no more messages and bytes than it may, and drops the oldest', () => {
    const buffer = new JitterBuffer<number>({ maxMessages: 10, maxBytes: 50 })
    for (let seq = 0; seq < 30; seq++) buffer.push(message(seq, START, 1), START)
    expect(buffer.stats).to.include({ depth: 10, overflow: 20, lost: 0 })
    buffer.push(message(30, START, 45), START)
    expect(buffer.stats.depth).equal(6)
    expect(drain(buffer, START + 100)).deep.equal([25, 26, 27, 28, 29, 30])
  })

  it('holds nothing of what came too late while nothing takes messages out', () => {
    const buffer = new JitterBuffer<number>({ maxMessages: 10, maxDelay: 10 })
    buffer.push(message(0), START)
    for (let seq = 1; seq < 100; seq++) buffer.push(message(seq, START), START + 500)
    expect(buffer.stats.depth).to.be.at.most(10)
    expect(buffer.stats.overflow + buffer.stats.late + buffer.stats.depth).equal(100)
  })

  it('holds for any messages: ascending, each once, within its bounds, and counted', () => {
    const anything = fc.record({
      seq: fc.oneof(fc.nat(40), fc.constantFrom(-1, 2 ** 40, 2 ** 40 + 1, 2 ** 53, Number.NaN), fc.nat()),
      timestamp: fc.oneof(fc.integer({ min: START, max: START + 2000 }), fc.double()),
      bytes: fc.integer({ min: -1, max: 40 }),
      pass: fc.integer({ min: -10, max: 100 }),
      pop: fc.boolean()
    })
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 150 }), (steps) => {
        const buffer = new JitterBuffer<number>({ maxMessages: 8, maxBytes: 100 })
        let now = START
        const released: number[] = []
        for (const { seq, timestamp, bytes, pass, pop } of steps) {
          now += pass
          buffer.push({ seq, timestamp, data: seq, bytes }, now)
          if (pop) released.push(...drain(buffer, now))
          const { depth, lost, targetDelay } = buffer.stats
          const within =
            depth <= 8 && lost >= 0 && targetDelay >= 0 && targetDelay <= 1000.001 && buffer.dueIn(now) >= 0
          expect(within, JSON.stringify(buffer.stats)).equal(true)
        }
        released.push(...drain(buffer, now + 2000))
        expect(released).deep.equal([...new Set(released)])
        const { received, late, duplicate, overflow, refused, depth } = buffer.stats
        expect(released.length + late + duplicate + overflow + refused).equal(received)
        expect(depth).equal(0)
      }),
      { numRuns: 300, seed: 11 }
    )
  })

  it('has every message of a line that only reorders, in order, whatever the order', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(
          Array.from({ length: 64 }, (_, seq) => seq),
          { minLength: 1 }
        ),
        (seqs) => {
          const buffer = new JitterBuffer<number>()
          for (const seq of seqs) buffer.push(message(seq, START), START)
          expect(drain(buffer, START + 100)).deep.equal([...seqs].sort((a, b) => a - b))
        }
      ),
      { numRuns: 100, seed: 12 }
    )
  })
})
