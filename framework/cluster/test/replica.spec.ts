import { FakeClock } from '@rystra/testkit'
import type { DirectoryRow } from '@rystra/plugin'
import { expect } from 'chai'
import { Replica } from '../src/index.js'

const row = (id: string, fence: number, instance = 'i'): DirectoryRow => ({
  key: 'x',
  id,
  member: 'a',
  instance,
  fence,
  owner: 'home'
})
const member = (instance: string, fence: number) => ({ name: 'a', instance, fence, value: {} })

describe('a replica of the directory', () => {
  const make = () => {
    const events: string[] = []
    const engine = { away: false }
    const clock = new FakeClock()
    const replica = new Replica(
      {
        onRow: ({ id, fence }) => events.push(`row ${id} ${fence}`),
        onGone: ({ id, fence }) => events.push(`gone ${id} ${fence}`),
        onMember: ({ instance }) => events.push(`member ${instance}`),
        onMemberGone: ({ instance }) => events.push(`left ${instance}`)
      },
      clock,
      1000,
      () => engine.away
    )
    return { engine, events, clock, replica }
  }

  it('keeps what a snapshot lacks for the time of a lease', () => {
    const { events, clock, replica } = make()
    replica.snapshot({ members: [member('i', 1)], rows: [row('1', 2), row('2', 3)] })
    replica.snapshot({ members: [], rows: [] })
    replica.change({ type: 'joined', member: member('i', 4) })
    replica.change({ type: 'held', row: row('1', 5) })
    clock.advance(1000)
    expect(events).to.deep.equal(['member i', 'row 1 2', 'row 2 3', 'member i', 'row 1 5', 'gone 2 3'])
  })

  it('keeps what a snapshot lacks while the engine is away, and for the time of a lease afterwards', () => {
    const { engine, events, clock, replica } = make()
    replica.snapshot({ members: [member('i', 1)], rows: [row('1', 2)] })
    replica.snapshot({ members: [], rows: [] })
    engine.away = true
    clock.advance(2900)
    engine.away = false
    replica.back()
    clock.advance(999)
    expect(events).to.deep.equal(['member i', 'row 1 2'])
    clock.advance(1)
    expect(events.slice(2)).to.have.members(['gone 1 2', 'left i'])
  })

  it('drops at once what is given back, by its number', () => {
    const { events, replica } = make()
    replica.snapshot({ members: [], rows: [row('1', 2)] })
    replica.change({ type: 'released', key: 'x', id: '1', fence: 1 })
    replica.change({ type: 'released', key: 'x', id: '1', fence: 2 })
    expect(events).to.deep.equal(['row 1 2', 'gone 1 2'])
  })

  it('ignores a row that is older than the one it has', () => {
    const { events, replica } = make()
    replica.change({ type: 'held', row: row('1', 5) })
    replica.change({ type: 'held', row: row('1', 4) })
    replica.change({ type: 'held', row: row('1', 5) })
    expect(events).to.deep.equal(['row 1 5'])
  })

  it('takes the numbers of a snapshot also where they are lower, as after a clock of the engine that was set back', () => {
    const { events, replica } = make()
    replica.snapshot({ members: [member('i', 10)], rows: [row('1', 11)] })
    replica.snapshot({ members: [member('i', 1)], rows: [row('1', 2)] })
    replica.change({ type: 'released', key: 'x', id: '1', fence: 2 })
    expect(events).to.deep.equal(['member i', 'row 1 11', 'member i', 'row 1 2', 'gone 1 2'])
  })

  it('drops the rows of an instance with its member, and not those of the next', () => {
    const { events, replica } = make()
    replica.snapshot({ members: [member('i', 1)], rows: [row('1', 2)] })
    replica.change({ type: 'joined', member: member('j', 3) })
    replica.change({ type: 'held', row: row('2', 4, 'j') })
    replica.change({ type: 'left', name: 'a', instance: 'i' })
    expect(events).to.have.members(['member i', 'row 1 2', 'gone 1 2', 'left i', 'member j', 'row 2 4'])
    expect([...replica.rows].map(({ id }) => id)).to.deep.equal(['2'])
  })
})
