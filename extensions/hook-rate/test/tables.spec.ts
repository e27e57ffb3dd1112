import { expect } from 'chai'
import { BucketTable } from '../src/bucket-table.js'
import { Failures } from '../src/failures.js'
import { Slots } from '../src/slots.js'

const address = (index: number): string => `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`

describe('slots', () => {
  it('keep what was used last, and their number', () => {
    const made: number[] = []
    const slots = new Slots(
      3,
      () => 1,
      () => {}
    )
    for (const key of ['a', 'b', 'c', 'a', 'd', 'e']) slots.take(key, (slot) => made.push(slot))
    expect(slots.size).equal(3)
    expect(['a', 'b', 'c', 'd', 'e'].map((key) => slots.find(key) !== undefined)).deep.equal([
      true,
      false,
      false,
      true,
      true
    ])
    expect(made).deep.equal([0, 1, 2, 1, 2])
  })

  it('give up those of which nothing is lost first, and go by a hint only where it is right', () => {
    const worth = new Set<number>()
    const slots = new Slots(
      4,
      (slot) => (worth.has(slot) ? 0 : 1),
      () => {}
    )
    const take = (key: string, hint?: number): number => slots.take(key, () => {}, hint)
    const owing = take('owing')
    worth.add(owing)
    for (let key = 0; key < 1000; key += 1) take(`k${key}`)
    expect(slots.find('owing')).equal(owing)
    const other = take('other')
    expect(take('owing', other)).equal(owing)
    expect(take('owing', 99)).equal(owing)
  })

  it('give up the least of what all owe, when there is no other', () => {
    const slots = new Slots(
      3,
      (slot) => slot / 10,
      () => {}
    )
    for (const key of ['a', 'b', 'c', 'd']) slots.take(key, () => {})
    expect(['a', 'b', 'c', 'd'].map((key) => slots.find(key))).deep.equal([0, 1, undefined, 2])
  })
})

describe('the memory of limits', () => {
  it('is bounded with millions of addresses seen, and debts are kept', () => {
    const table = new BucketTable([{ rate: 1, burst: 1 }], 10_000)
    table.spend(table.slot('debtor', 0), 0, 1_000_000, 0)
    let now = 0
    for (let index = 0; index < 2_000_000; index += 1) {
      now += 1
      table.spend(table.slot(address(index), now), 0, 1, now)
    }
    expect(table.size).equal(10_000)
    expect(table.wait(table.slot('debtor', now), 0, 1, now)).closeTo(1_000_000_000 - now, 10)
  })

  it('of failures is bounded, and keeps the addresses that are shut out', () => {
    let now = 0
    const options = { free: 3, delay: '1s', after: 5, shutOutFor: '1h', exempt: [] }
    const failures = new Failures(options, 500, () => now)
    for (let failure = 0; failure < 5; failure += 1) failures.failed('192.0.2.1')
    for (let index = 0; index < 40_000; index += 1) {
      now += 1
      failures.failed(address(index))
    }
    expect(failures.size).equal(500)
    expect(failures.shutOut('192.0.2.1')).equal(3_600_000 - now)
  })
})
