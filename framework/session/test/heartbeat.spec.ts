import { expect } from 'chai'
import { Heartbeat } from '../src/heartbeat.js'
import { FakeClock } from './fakes.js'

const make = (options = { interval: 15_000, timeout: 45_000 }) => {
  const clock = new FakeClock()
  const sent: { seq: number; time: number }[] = []
  let deaths = 0
  const heartbeat: Heartbeat = new Heartbeat(
    options,
    clock,
    (seq, time) => sent.push({ seq, time }),
    () => {
      deaths += 1
    }
  )
  return { clock, sent, heartbeat, deaths: () => deaths }
}

describe('a heartbeat', () => {
  it('asks at once, then at each interval', () => {
    const { clock, sent, heartbeat } = make()
    heartbeat.start()
    expect(sent.length).to.equal(1)
    for (let beat = 1; beat <= 5; beat += 1) {
      clock.pass(15_000)
      heartbeat.heard()
      expect(sent.length).to.equal(beat + 1)
    }
    expect(new Set(sent.map(({ seq }) => seq)).size).to.equal(6)
    heartbeat.stop()
  })

  it('says once that the other side is dead, when the time-out has passed and not before', () => {
    for (const options of [
      { interval: 15_000, timeout: 45_000 },
      { interval: 10_000, timeout: 45_000 },
      { interval: 60_000, timeout: 5000 }
    ]) {
      const { clock, heartbeat, deaths } = make(options)
      heartbeat.start()
      clock.pass(7)
      heartbeat.heard()
      clock.pass(options.timeout - 1)
      expect(deaths(), `too early, ${JSON.stringify(options)}`).to.equal(0)
      clock.pass(8)
      expect(deaths(), `too late, ${JSON.stringify(options)}`).to.equal(1)
      clock.pass(10 * options.timeout)
      expect(deaths()).to.equal(1)
      expect(clock.timers.size).to.equal(0)
    }
  })

  it('asks once more after the process was held up, and waits five seconds for the answer', () => {
    for (const answered of [true, false]) {
      const { clock, sent, heartbeat, deaths } = make()
      heartbeat.start()
      clock.pass(10_000)
      heartbeat.heard()
      // No timer goes off in an hour of suspension: the one that is due goes off at its end, before anything is read.
      clock.time += 3_600_000
      clock.pass(0)
      expect(deaths(), 'given up unheard').to.equal(0)
      const probes = sent.length
      if (answered) heartbeat.heard()
      clock.pass(4999)
      expect(deaths()).to.equal(0)
      expect(probes).to.equal(2)
      clock.pass(2)
      expect(deaths(), answered ? 'it lives' : 'no answer came').to.equal(answered ? 0 : 1)
      heartbeat.stop()
    }
  })

  it('lives as long as anything is heard', () => {
    const { clock, heartbeat, deaths } = make()
    heartbeat.start()
    for (let count = 0; count < 100; count += 1) {
      clock.pass(44_000)
      heartbeat.heard()
    }
    expect(deaths()).to.equal(0)
    heartbeat.stop()
  })

  it('measures the round trip, and takes no nonsense for one', () => {
    const { clock, sent, heartbeat } = make()
    heartbeat.start()
    expect(heartbeat.rtt).to.equal(undefined)
    clock.pass(42)
    heartbeat.answered(sent[0]?.time as number)
    expect(heartbeat.rtt).to.equal(42)
    for (const nonsense of [clock.now() + 1, 0, Number.NaN, -5]) heartbeat.answered(nonsense)
    expect(heartbeat.rtt).to.equal(42)
    heartbeat.stop()
  })

  it('probes: true when anything comes in time, false when nothing does', async () => {
    const { clock, sent, heartbeat } = make()
    heartbeat.start()
    const before = sent.length
    const alive = heartbeat.probe(2000)
    const too = heartbeat.probe(2000)
    expect(sent.length).to.equal(before + 2)
    clock.pass(1999)
    heartbeat.heard()
    expect([await alive, await too]).to.deep.equal([true, true])
    const dead = heartbeat.probe(2000)
    clock.pass(2000)
    expect(await dead).to.equal(false)
    heartbeat.stop()
    expect(clock.timers.size).to.equal(0)
  })

  it('answers a probe at once when it is stopped, and leaves no timer', async () => {
    const { clock, heartbeat } = make()
    heartbeat.start()
    const probe = heartbeat.probe(2000)
    heartbeat.stop()
    expect(await probe).to.equal(false)
    expect(await heartbeat.probe(2000)).to.equal(false)
    expect(clock.timers.size).to.equal(0)
  })

  it('leaves no timer when sending ends it', () => {
    const clock = new FakeClock()
    const heartbeat: Heartbeat = new Heartbeat(
      { interval: 10, timeout: 30 },
      clock,
      () => heartbeat.stop(),
      () => {}
    )
    heartbeat.start()
    expect(clock.timers.size).to.equal(0)
  })
})

describe('a heartbeat with other options', () => {
  it('asks at once, and then at their interval', () => {
    const { clock, sent, heartbeat, deaths } = make()
    heartbeat.use({ interval: 60_000, timeout: 90_000 })
    expect(sent.length, 'not before it is started').to.equal(0)
    heartbeat.start()
    heartbeat.use({ interval: 60_000, timeout: 90_000 })
    expect(sent.length, 'the same options').to.equal(1)
    heartbeat.use({ interval: 100, timeout: 300 })
    expect(sent.length).to.equal(2)
    clock.pass(100)
    expect(sent.length).to.equal(3)
    clock.pass(300)
    expect(deaths()).to.equal(1)
    heartbeat.use({ interval: 1, timeout: 2 })
    heartbeat.stop()
    heartbeat.use({ interval: 2, timeout: 3 })
    expect(clock.timers.size).to.equal(0)
  })
})
