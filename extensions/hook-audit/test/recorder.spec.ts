import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { Recorder } from '../src/recorder.js'
import { Counted, FakeSink, listening, until } from './fakes.js'

const setUp = (queue = 1_000_000) => {
  const [sink, clock, metrics, { log, lines }] = [new FakeSink(), new FakeClock(), new Counted(), listening()]
  const recorder = new Recorder({ sink, role: 'server', queue, clock, log, metrics })
  return { sink, clock, metrics, lines, recorder }
}

const types = (sink: FakeSink): unknown[] => sink.records.map(({ type }) => type)

describe('the recorder', () => {
  it('writes records in their order, numbered, with the time, and says when it starts and stops', async () => {
    const { sink, recorder, metrics } = setUp()
    await recorder.start()
    recorder.add('one', { a: 1 })
    recorder.add('two', { b: 2 })
    await recorder.stop()
    const { pid } = process
    expect(sink.records).to.deep.equal([
      { time: '2024-01-01T00:00:00.000Z', type: 'audit.start', seq: 1, pid, side: 'server' },
      { time: '2024-01-01T00:00:00.000Z', type: 'one', seq: 2, pid, side: 'server', a: 1 },
      { time: '2024-01-01T00:00:00.000Z', type: 'two', seq: 3, pid, side: 'server', b: 2 },
      { time: '2024-01-01T00:00:00.000Z', type: 'audit.stop', seq: 4, pid, side: 'server' }
    ])
    expect(sink.closed).to.equal(true)
    expect(metrics.of('rystra_audit_records_total')).to.equal(4)
    recorder.add('late', {})
    await recorder.stop()
    expect(sink.records).to.have.length(4)
  })

  it('writes in a later turn of the event loop than the report', async () => {
    const { sink, recorder } = setUp()
    await recorder.start()
    recorder.add('one', {})
    await Promise.resolve()
    expect(sink.writes).to.equal(0)
    await recorder.stop()
    expect(types(sink)).to.include('one')
  })

  it('writes nothing when it was never started', async () => {
    const { sink, recorder } = setUp()
    recorder.add('early', {})
    await new Promise((resolve) => setImmediate(resolve))
    await recorder.stop()
    expect([sink.text, sink.closed]).to.deep.equal(['', false])
  })

  it('keeps a bounded queue for a disk that hangs, and counts and says what it dropped', async () => {
    const { sink, recorder, metrics, lines } = setUp(10_000)
    await recorder.start()
    await until(() => sink.records.length === 1)
    sink.hanging = true
    const many = 100_000
    for (let i = 0; i < many; i += 1) recorder.add('flood', { i })
    const dropped = metrics.of('rystra_audit_lost_total')
    expect(dropped).to.be.within(many - 200, many - 50)
    expect(lines, 'the log is reported once').to.have.length(1)
    expect(lines[0]?.message).to.match(/dropped/)
    await until(() => sink.writes === 2)
    sink.goOn()
    await until(() => types(sink).includes('audit.lost'))
    recorder.add('after', {})
    await recorder.stop()
    const kept = sink.records.filter(({ type }) => type === 'flood')
    const lost = sink.records.filter(({ type }) => type === 'audit.lost')
    expect(lost).to.have.length(1)
    expect(lost[0]).to.include({ count: dropped, since: '2024-01-01T00:00:00.000Z' })
    expect(kept.length + dropped, 'every record is written or counted').to.equal(many)
    const after = sink.records.find(({ type }) => type === 'after')
    expect(after?.['seq'], 'numbers tell of the gap').to.equal(many + 3)
  })

  it('says of losses in front of the next record that fits', async () => {
    const { sink, recorder } = setUp(300)
    await recorder.start()
    await until(() => sink.records.length === 1)
    sink.hanging = true
    for (let i = 0; i < 10; i += 1) recorder.add('x'.repeat(80), {})
    await until(() => sink.writes === 2)
    sink.goOn()
    await until(() => types(sink).includes('audit.lost'))
    await recorder.stop()
    const all = types(sink)
    expect(all.slice(all.indexOf('audit.lost') - 1)).to.deep.equal(['x'.repeat(80), 'audit.lost', 'audit.stop'])
  })

  it('tries again what a full disk did not take, complains once a minute, and loses nothing that fits', async () => {
    const { sink, recorder, clock, metrics, lines } = setUp()
    await recorder.start()
    await until(() => sink.records.length === 1)
    sink.failing = 'ENOSPC'
    for (let i = 0; i < 5; i += 1) recorder.add('kept', { i })
    await until(() => metrics.of('rystra_audit_failures_total') === 1)
    expect(clock.next, 'the first retry').to.equal(1000)
    for (let failures = 2; failures <= 5; failures += 1) {
      clock.advance(clock.next ?? 0)
      await until(() => metrics.of('rystra_audit_failures_total') === failures)
    }
    expect(clock.next, 'it waits longer each time').to.equal(16_000)
    expect(lines).to.have.length(1)
    expect(lines[0]?.fields['err']).to.have.property('code', 'ENOSPC')
    while (clock.now() - Date.UTC(2024, 0, 1) < 60_000) {
      const failures = metrics.of('rystra_audit_failures_total')
      clock.advance(clock.next ?? 0)
      await until(() => metrics.of('rystra_audit_failures_total') > failures)
    }
    expect(lines).to.have.length(2)
    sink.failing = undefined
    clock.advance(30_000)
    await until(() => sink.records.length === 6)
    expect(sink.records.slice(1).map(({ i }) => i)).to.deep.equal([0, 1, 2, 3, 4])
    expect(metrics.of('rystra_audit_lost_total')).to.equal(0)
    await recorder.stop()
    expect(clock.pending).to.equal(0)
  })

  it('says why in the record of what was lost', async () => {
    const { sink, recorder, clock, metrics } = setUp(200)
    await recorder.start()
    await until(() => sink.records.length === 1)
    sink.failing = 'ENOSPC'
    for (let i = 0; i < 50; i += 1) recorder.add('kept', { i })
    await until(() => metrics.of('rystra_audit_failures_total') === 1)
    sink.failing = undefined
    clock.advance(1000)
    await until(() => types(sink).includes('audit.lost'))
    expect(sink.records.find(({ type }) => type === 'audit.lost')).to.include({ failure: 'ENOSPC' })
    await recorder.stop()
  })

  it('stops with the words in the log when the disk does not take the rest', async () => {
    const { sink, recorder, metrics, lines } = setUp()
    await recorder.start()
    await until(() => sink.records.length === 1)
    sink.failing = 'EIO'
    recorder.add('lost', {})
    await recorder.stop()
    expect(lines.at(-1)?.message).to.match(/lost at stop/)
    expect(lines.at(-1)?.fields).to.include({ lost: 2, sink: 'fake' })
    expect(metrics.of('rystra_audit_lost_total')).to.equal(2)
  })

  it('stops within a deadline although the disk hangs', async () => {
    const { sink, recorder, lines } = setUp()
    await recorder.start()
    await until(() => sink.records.length === 1)
    sink.hanging = true
    recorder.add('hangs', {})
    await until(() => sink.writes === 2)
    await recorder.stop()
    expect(lines.at(-1)?.fields).to.include({ lost: 2 })
    sink.goOn()
  })
})
