import { expect } from 'chai'
import { DriftingClock, FakeClock, type LineOptions, SimulatedLine } from '../src/index.js'

/** What arrives of a hundred sent 10 ms apart: which, and after how long. */
const arrivals = (options: LineOptions, seed = 1): [number, number][] => {
  const clock = new FakeClock(0)
  const line = new SimulatedLine(clock, seed, options)
  const arrived: [number, number][] = []
  for (let index = 0; index < 100; index++) {
    const sent = clock.now()
    line.send(() => arrived.push([index, clock.now() - sent]))
    clock.advance(10)
  }
  clock.advance(10_000)
  return arrived
}

const order = (arrived: [number, number][]): number[] => arrived.map(([index]) => index)
const sorted = (values: number[]): number[] => [...values].sort((a, b) => a - b)

describe('a simulated line', () => {
  it('delays within its jitter and reorders, the same for the same seed', () => {
    const arrived = arrivals({ delay: 10, jitter: 40 })
    for (const [, took] of arrived) expect(took).to.be.within(10, 50)
    expect(order(arrived)).not.deep.equal(sorted(order(arrived)))
    expect(arrived).deep.equal(arrivals({ delay: 10, jitter: 40 }))
    expect(arrived).not.deep.equal(arrivals({ delay: 10, jitter: 40 }, 2))
  })

  it('keeps the order when it is told to', () => {
    const arrived = order(arrivals({ delay: 10, jitter: 40, ordered: true }))
    expect(arrived).deep.equal(sorted(arrived)).and.length(100)
  })

  it('loses and repeats a part', () => {
    expect(arrivals({ loss: 0.3 }).length).to.be.within(55, 85)
    expect(arrivals({ duplicates: 0.3 }).length).to.be.within(115, 145)
  })

  it('takes longer at the times it is told to', () => {
    const arrived = arrivals({ extra: (now) => (now < 500 ? 100 : 0) })
    expect(arrived.filter(([, took]) => took === 100)).length(50)
  })
})

describe('a drifting clock', () => {
  it('is ahead, goes faster, jumps, and has timers by its own time', () => {
    const base = new FakeClock(0)
    const clock = new DriftingClock(base, { offset: 250, ppm: 100 })
    base.advance(10_000)
    expect(clock.now()).equal(10_251)
    clock.jump(-1000)
    expect(clock.now()).equal(9251)
    clock.after(10_001, () => {})
    expect(base.next).closeTo(10_000, 0.001)
  })
})
