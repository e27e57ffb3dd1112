import { expect } from 'chai'
import { mock } from 'node:test'
import { systemClock } from '../src/index.js'
import { MetricStore } from '../src/metrics.js'
import { provisioned, extension } from './fixtures.js'

describe('the clock of this machine', () => {
  it('tells the time, and calls once', async () => {
    expect(Math.abs(systemClock.now() - Date.now())).lessThan(1000)
    await new Promise<void>((resolve) => void systemClock.after(1, resolve))
  })

  it('does not call what was taken back', async () => {
    let called = false
    const cancel = systemClock.after(1, () => {
      called = true
    })
    cancel()
    await new Promise<void>((resolve) => void systemClock.after(5, resolve))
    expect(called).equal(false)
  })

  it('takes a time that has passed for now: Node 24 warns of a negative one', async () => {
    const set = mock.method(globalThis, 'setTimeout')
    const called = new Promise<void>((resolve) => void systemClock.after(-5, resolve))
    const [, ms] = set.mock.calls[0]?.arguments ?? []
    set.mock.restore()
    await called
    expect(ms).equal(0)
  })

  it('does not call at once what is due in months', async () => {
    let called = false
    const cancel = systemClock.after(2 ** 40, () => {
      called = true
    })
    await new Promise<void>((resolve) => void systemClock.after(5, resolve))
    expect(called).equal(false)
    cancel()
  })

  it('calls when months are over, which is longer than a timer of Node may be', () => {
    const days = 24 * 3_600_000
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      let calls = 0
      systemClock.after(60 * days, () => (calls += 1))
      const cancel = systemClock.after(50 * days, () => (calls += 100))
      const pass = (count: number): void => {
        for (let day = 0; day < count; day += 1) mock.timers.tick(days)
      }
      pass(49)
      cancel()
      pass(9)
      expect(calls).equal(0)
      pass(3)
      expect(calls).equal(1)
    } finally {
      mock.timers.reset()
    }
  })
})

describe('the metric store', () => {
  it('keeps counters and gauges, by their labels in any order', () => {
    const store = new MetricStore()
    const counter = store.counter('rystra_lost_total', 'Records lost.')
    counter.add()
    counter.add(2, { a: '1', b: '2' })
    store.counter('rystra_lost_total', 'Records lost.').add(3, { b: '2', a: '1' })
    const gauge = store.gauge('rystra_depth', 'Depth.')
    gauge.set(5)
    gauge.set(4)
    expect(store.snapshot()).deep.equal([
      {
        name: 'rystra_lost_total',
        type: 'counter',
        help: 'Records lost.',
        values: [
          { labels: {}, value: 1 },
          { labels: { a: '1', b: '2' }, value: 5 }
        ]
      },
      { name: 'rystra_depth', type: 'gauge', help: 'Depth.', values: [{ labels: {}, value: 4 }] }
    ])
  })

  it('gives a copy', () => {
    const store = new MetricStore()
    const counter = store.counter('a', '')
    counter.add()
    const before = store.snapshot()
    counter.add()
    expect(before[0]?.values[0]?.value).equal(1)
  })

  it('refuses bad names, a name of both types, and a counter that goes back', () => {
    const store = new MetricStore()
    expect(() => store.counter('a b', '')).throw(TypeError)
    store.counter('a', '')
    expect(() => store.gauge('a', '')).throw(TypeError, 'the metric a is a counter already')
    expect(() => store.counter('a', '').add(-1)).throw(RangeError)
    expect(() => store.counter('a', '').add(Number.NaN)).throw(RangeError)
  })

  it('stays bounded when labels come from peers', () => {
    const store = new MetricStore()
    const counter = store.counter('a', '')
    for (let i = 0; i < 12_000; i++) counter.add(1, { peer: String(i) })
    const values = store.snapshot()[0]?.values ?? []
    expect(values.length).lessThan(10_002)
    expect(values.reduce((sum, { value }) => sum + value, 0)).equal(12_000)
    counter.add(1, { peer: '5' })
    expect(values.length).lessThan(10_002)
    expect(store.snapshot()[0]?.values.find(({ labels }) => labels.peer === '5')?.value).equal(2)
  })

  it('is what extensions count into, unless another is given', async () => {
    const a = extension('a', ({ metrics }) => metrics.counter('rystra_a_total', 'A.').add())
    const { kernel } = await provisioned([a()])
    expect((kernel.metrics as MetricStore).snapshot()[0]?.values).deep.equal([{ labels: {}, value: 1 }])
  })
})
