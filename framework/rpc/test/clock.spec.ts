import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import fc from 'fast-check'
import { type PongTimes, SessionClock } from '../src/clock/session-clock.js'
import { TimestampReader } from '../src/clock/timestamp-reader.js'
import { ClockWorld, type ClockWorldOptions, quantile } from './clock-world.js'

const loopback: ClockWorldOptions = { to: { delay: 0.03, jitter: 0.02 } }
const jittery: ClockWorldOptions = { to: { delay: 10, jitter: 40 } }
const lossy: ClockWorldOptions = {
  to: { delay: 10, jitter: 20, distribution: 'exponential', loss: 0.1, duplicates: 0.05 }
}
const asymmetric: ClockWorldOptions = { to: { delay: 10, jitter: 1 }, from: { delay: 50, jitter: 1 } }

const YEAR_0 = -62_167_219_200_000
const YEAR_10_000 = 253_402_300_800_000

const seeds = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

/** How wrong it is after `ms`, for several seeds; the bound has to hold for each. */
const wrongAfter = (ms: number, options: ClockWorldOptions, count = 40): number[] =>
  seeds(count).map((seed) => {
    const world = new ClockWorld({ ...options, seed })
    world.run(ms)
    expect(world.wrong, `the error of seed ${seed}`).to.be.at.most(world.clock.error)
    return world.wrong
  })

describe('the clock of a session', () => {
  it('knows nothing before the first answer, and says so', () => {
    const clock = new SessionClock({ time: () => 1000 })
    expect([clock.offset, clock.error, clock.epoch, clock.delay, clock.synchronised]).deep.equal([
      0,
      Infinity,
      0,
      undefined,
      false
    ])
    expect(clock.toLocal(5000)).equal(5000)
  })

  it('is within 0.1 ms after 16 exchanges on loopback', () => {
    const wrong = wrongAfter(2000, loopback)
    expect(Math.max(...wrong)).to.be.below(0.1)
  })

  it('is within 2 ms (p50) and 5 ms (p95) after two seconds of 30 ± 20 ms each way', () => {
    const wrong = wrongAfter(2000, jittery, 60)
    expect(quantile(wrong, 0.5)).to.be.below(2)
    expect(quantile(wrong, 0.95)).to.be.below(5)
  })

  it('cannot see asymmetry, and its bound covers it', () => {
    const wrong = wrongAfter(2000, asymmetric)
    expect(quantile(wrong, 0.5)).to.be.within(19, 21)
  })

  for (const ppm of [100, -100]) {
    it(`follows a drift of ${ppm} ppm over a bad line: within 2 ms (p95) after 10 minutes`, () => {
      for (const options of [jittery, lossy]) {
        const wrong = wrongAfter(600_000, { ...options, ppm }, 12)
        expect(quantile(wrong, 0.95)).to.be.below(2)
      }
      const world = new ClockWorld({ ...jittery, ppm })
      world.run(600_000)
      expect(world.clock.drift * 1e6).to.be.within(ppm - 10, ppm + 10)
      expect(world.pings).to.be.below(240)
    })
  }

  it('is never more wrong than it says, at any moment and any drift a crystal has', () => {
    for (const ppm of [0, 200, -400]) {
      for (const options of [loopback, jittery, lossy]) {
        const world = new ClockWorld({ ...options, ppm })
        world.run(200_000, () => expect(world.wrong).to.be.at.most(world.clock.error), 200)
      }
    }
  })

  it('says a larger error when answers stay away', () => {
    const world = new ClockWorld(loopback)
    world.run(120_000)
    const { error } = world.clock
    world.time.advance(3_600_000)
    expect(world.clock.error).to.be.above(error + 1)
  })

  it('converts both ways, and into past and future by the drift', () => {
    const world = new ClockWorld({ ...loopback, ppm: 100 })
    world.run(300_000)
    const now = world.own.now()
    for (const away of [-60_000, 0, 60_000]) {
      const remote = world.clock.toRemote(now + away)
      expect(remote).closeTo(world.peer.now() + away * 1.0001, 0.05)
      expect(world.clock.toLocal(remote)).closeTo(now + away, 0.001)
    }
  })

  it('never goes backwards while it is corrected, nor jumps forward: by 5 % at most', () => {
    const world = new ClockWorld({ ...jittery, ppm: -100 })
    const sample = () => [world.own.now(), world.clock.toLocal(world.peer.now()), world.clock.toRemote(world.own.now())]
    world.run(200)
    let last = sample()
    world.run(
      20_000,
      () => {
        const next = sample()
        const [passed = 0, local = 0, remote = 0] = next.map((time, index) => time - (last[index] as number))
        for (const shown of [local, remote]) expect(shown).to.be.within(0.945 * passed, 1.055 * passed)
        last = next
      },
      5
    )
    expect(world.clock.epoch).equal(1)
  })

  for (const end of ['own', 'peer'] as const) {
    for (const jump of [3_600_000, 5000, -5000, -3_600_000]) {
      it(`is right again within 6 s when the ${end} clock jumps by ${jump} ms`, () => {
        const world = new ClockWorld({ ...jittery, ppm: 100 })
        const reader = new TimestampReader(world.clock)
        let [shown, read] = [-Infinity, -Infinity]
        const watch = (): void => {
          const next = [world.clock.now(), reader.read(world.peer.now() - 20)] as const
          expect(next[0], 'now()').to.be.at.least(shown)
          expect(next[1], 'a reader').to.be.at.least(read)
          ;[shown, read] = next
        }
        world.run(60_000, watch)
        world[end].jump(jump)
        world.run(6000, watch)
        expect(world.clock.epoch).equal(2)
        expect(world.wrong).to.be.below(20).and.at.most(world.clock.error)
        world.run(60_000, watch)
        expect(world.wrong).to.be.below(6)
      })
    }
  }

  it('takes one late answer for an accident', () => {
    let forge = false
    const world = new ClockWorld({
      ...loopback,
      answer: ({ t0, t1, t2 }) => ({ t0, t1: forge ? t1 + 500 : t1, t2: forge ? t2 + 500 : t2 })
    })
    world.run(30_000)
    forge = true
    world.run(5000, () => {
      forge = world.outcomes['suspect'] === undefined
    })
    world.run(5000)
    expect(world.outcomes).to.include({ suspect: 1 }).and.not.have.property('jumped')
    expect(world.wrong).to.be.below(0.1)
    expect(world.clock.epoch).equal(1)
  })

  it('does not use answers that cannot be true, and goes on', () => {
    const forged: [string, (times: PongTimes) => PongTimes][] = [
      ['timestamp', (times) => ({ ...times, t1: Number.NaN })],
      ['timestamp', (times) => ({ ...times, t2: Number.POSITIVE_INFINITY })],
      ['timestamp', (times) => ({ ...times, t1: YEAR_0, t2: YEAR_0 })],
      ['timestamp', (times) => ({ ...times, t1: YEAR_10_000, t2: YEAR_10_000 })],
      ['order', ({ t0, t1, t2 }) => ({ t0, t1: t2, t2: t1 - 1 })],
      ['order', (times) => ({ ...times, t2: times.t2 + 1_000_000 })],
      ['unknown', (times) => ({ ...times, t0: times.t0 - 3 })],
      ['unknown', (times) => ({ ...times, t0: Number.NaN })]
    ]
    let forge = forged[0]?.[1] as (times: PongTimes) => PongTimes
    for (const [outcome, next] of forged) {
      forge = next
      const world = new ClockWorld({ ...loopback, answer: (times) => forge(times) })
      world.run(1000)
      expect(Object.keys(world.outcomes)).deep.equal([outcome])
      expect(world.clock.error).equal(Infinity)
      forge = (times) => times
      world.run(1000)
      expect(world.wrong, outcome).to.be.below(0.1)
    }
  })

  it('takes an answer once, and none to a Ping that was not sent', () => {
    const clock = new SessionClock({ time: () => 1000 })
    const t0 = clock.ping()
    expect(clock.pong({ t0, t1: 2000, t2: 2000 })).equal('used')
    expect(clock.pong({ t0, t1: 9000, t2: 9000 })).equal('unknown')
    expect(clock.pong({ t0: 999, t1: 9000, t2: 9000 })).equal('unknown')
    expect(clock.offset).closeTo(1000, 0.01)
  })

  it('does not use an answer that was on its way for more than 10 s', () => {
    const time = new FakeClock()
    const clock = new SessionClock({ time: () => time.now() })
    const t0 = clock.ping()
    time.advance(10_001)
    expect(clock.pong({ t0, t1: time.now(), t2: time.now() })).equal('timeout')
  })

  it('remembers no more than 32 Pings, whatever is asked of it', () => {
    const clock = new SessionClock({ time: () => 1000 })
    const sent = Array.from({ length: 100 }, () => clock.ping())
    expect(new Set(sent).size).equal(100)
    const outcomes = sent.map((t0) => clock.pong({ t0, t1: 1000, t2: 1000 }))
    expect(outcomes.filter((outcome) => outcome === 'used')).length(32)
  })

  it('sends 16 Pings in the first two seconds, and one in 3 s in the end, also to a peer that forged each time', () => {
    let forge = 0
    const world = new ClockWorld(loopback)
    world.run(2000)
    expect(world.pings).to.be.within(16, 20)
    world.run(60_000)
    const { pings } = world
    world.run(30_000)
    expect(world.pings - pings).equal(10)
    const faulty = new ClockWorld({
      ...loopback,
      answer: ({ t0, t1 }) => ({ t0, t1: t1 + 1000 * ++forge, t2: t1 + 1000 * forge })
    })
    faulty.run(10_000)
    expect(faulty.pings).to.be.at.most(101)
  })

  it('holds for any answers: no throw, no invalid number, never backwards', () => {
    const wild = fc.oneof(
      fc.double(),
      fc.constantFrom(Number.NaN, YEAR_0, YEAR_10_000, 2 ** 53),
      fc.double({ min: -50, max: 50, noNaN: true })
    )
    const step = fc.record({ pass: fc.integer({ min: -100, max: 5000 }), t1: wild, t2: wild, near: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const start = Date.UTC(2026, 0, 1)
        let time = start
        const clock = new SessionClock({ time: () => time })
        const reader = new TimestampReader(clock)
        let [shown, read] = [-Infinity, -Infinity]
        for (const { pass, t1, t2, near } of steps) {
          const t0 = clock.ping()
          time += pass
          clock.pong(near ? { t0, t1: time + t1, t2: time + t2 } : { t0, t1, t2 })
          expect(Number.isFinite(clock.offset) && clock.error >= 0).equal(true)
          expect(Math.abs(clock.drift)).to.be.at.most(500e-6)
          expect(clock.dueIn).to.be.within(0, 3000)
          const next = [clock.now(), reader.read(time + t1 || 0)] as const
          expect(next[0] >= shown && next[1] >= read).equal(true)
          ;[shown, read] = next
        }
      }),
      { numRuns: 200, seed: 10 }
    )
  })
})
