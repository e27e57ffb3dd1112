import { expect } from 'chai'
import { silentLog } from '@rystra/plugin'
import { FakeClock } from '@rystra/testkit'
import { type Attempt, Delivery } from '../src/delivery.js'
import { about, SlowTarget } from './fakes.js'

const ok: Attempt = { ok: true }
const again: Attempt = { ok: false, retry: true, reason: 'status 503' }
const never: Attempt = { ok: false, retry: false, reason: 'status 404' }
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const world = ({ attempts = 10, queue = 100 } = {}) => {
  const target = new SlowTarget()
  const clock = new FakeClock(0)
  const outcomes: string[] = []
  const counted = (outcome: string): void => void outcomes.push(outcome)
  const delivery = new Delivery({ target, attempts, queue, clock, log: silentLog, counted, random: () => 1 })
  return { target, clock, outcomes, delivery }
}

describe('the delivery of notifications', () => {
  it('keeps their order within a subject, and lets subjects pass each other', async () => {
    const { target, delivery } = world()
    for (const [subject, n] of [
      ['a', 1],
      ['a', 2],
      ['b', 3],
      ['b', 4]
    ] as const)
      delivery.add(about(subject, n))
    expect(target.numbers).to.deep.equal([1, 3])
    await target.sent[1]?.answer(ok)
    expect(target.numbers).to.deep.equal([1, 3, 4])
    await target.sent[0]?.answer(ok)
    expect(target.numbers).to.deep.equal([1, 3, 4, 2])
  })

  it('sends again after growing delays; what follows of the subject waits, others do not', async () => {
    const { target, clock, delivery, outcomes } = world()
    delivery.add(about('a', 1))
    delivery.add(about('a', 2))
    await target.sent[0]?.answer(again)
    delivery.add(about('b', 3))
    expect(target.numbers).to.deep.equal([1, 3])
    for (const delay of [2000, 4000, 8000]) {
      const before = target.sent.length
      clock.advance(delay - 1)
      expect(target.sent).to.have.length(before)
      clock.advance(1)
      expect(target.sent.at(-1)?.n).to.equal(1)
      await target.sent.at(-1)?.answer(again)
    }
    clock.advance(16_000)
    await target.sent.at(-1)?.answer(ok)
    expect(target.sent.at(-1)?.n).to.equal(2)
    expect(outcomes).to.deep.equal(['sent'])
  })

  it('waits as long as the target says, five minutes at most', async () => {
    const { target, clock, delivery } = world()
    delivery.add(about('a', 1))
    await target.sent[0]?.answer({ ...again, wait: 30_000 } as Attempt)
    clock.advance(29_999)
    expect(target.sent).to.have.length(1)
    clock.advance(1)
    expect(target.sent).to.have.length(2)
    await target.sent[1]?.answer({ ...again, wait: 1e9 } as Attempt)
    clock.advance(300_000)
    expect(target.sent).to.have.length(3)
  })

  it('gives up what cannot be delivered, and goes on with the next', async () => {
    const { target, clock, delivery, outcomes } = world({ attempts: 2 })
    delivery.add(about('a', 1))
    delivery.add(about('a', 2))
    delivery.add(about('a', 3))
    await target.sent[0]?.answer(never)
    expect(target.numbers).to.deep.equal([1, 2])
    await target.sent[1]?.answer(again)
    clock.advance(2000)
    await target.sent[2]?.answer(again)
    expect(target.numbers).to.deep.equal([1, 2, 2, 3])
    expect(outcomes).to.deep.equal(['failed', 'failed'])
  })

  it('takes a target that rejects for a failed attempt', async () => {
    const { target, clock, delivery, outcomes } = world()
    target.send = () => Promise.reject(new Error('broken'))
    for (let n = 0; n < 5; n++) delivery.add(about(`subject ${n}`, n))
    await turn()
    Reflect.deleteProperty(target, 'send')
    target.reply = ok
    clock.advance(2000)
    await turn()
    await turn()
    expect(outcomes).to.deep.equal(Array(5).fill('sent'))
  })

  it('has at most four attempts at once', () => {
    const { target, delivery } = world()
    for (let n = 0; n < 10; n++) delivery.add(about(`subject ${n}`, n))
    expect(target.sent).to.have.length(4)
  })

  it('is bounded: the oldest that waits is dropped, and the next one says how many were', async () => {
    const { target, delivery, outcomes } = world({ queue: 3 })
    for (let n = 1; n <= 1000; n++) delivery.add(about('a', n))
    expect(outcomes).to.have.length(997)
    await target.sent[0]?.answer(ok)
    expect(target.sent[1]).to.include({ n: 999, lost: 997 })
    await target.sent[1]?.answer(ok)
    expect(target.sent[2]).to.include({ n: 1000, lost: 0 })
  })

  it('is bounded also when each subject is between two attempts', async () => {
    const { target, clock, delivery, outcomes } = world({ queue: 2 })
    target.reply = again
    for (let n = 1; n <= 20; n++) {
      delivery.add(about(`subject ${n}`, n))
      await turn()
    }
    expect(outcomes.filter((outcome) => outcome === 'lost')).to.have.length(18)
    target.reply = ok
    const before = target.sent.length
    clock.advance(600_000)
    await turn()
    await turn()
    expect(target.sent.slice(before).map(({ n }) => n)).to.include.members([19, 20])
    expect(outcomes.filter((outcome) => outcome === 'sent')).to.have.length(2)
  })

  it('a stop gives what waits one more attempt, and no longer than its time', async () => {
    const { target, clock, delivery, outcomes } = world()
    delivery.add(about('a', 1))
    await target.sent[0]?.answer(again)
    delivery.add(about('b', 2))
    const stopped = delivery.stop(2000)
    expect(target.numbers).to.deep.equal([1, 2, 1])
    await target.sent[2]?.answer(ok)
    clock.advance(2000)
    await stopped
    expect(outcomes).to.deep.equal(['sent', 'lost'])
    delivery.add(about('c', 3))
    expect(target.sent).to.have.length(3)
    await world().delivery.stop(2000)
  })
})
