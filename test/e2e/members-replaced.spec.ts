import { until } from '@rystra/testkit'
import { expect } from 'chai'
import type { HandedSockets } from '../../cli/src/members/handed-sockets.js'
import { Members } from '../../cli/src/members/members.js'
import { FakeMember, options } from './fake-member.js'

describe('one of several server processes that is to be replaced', () => {
  const sockets = [{ passed: true, chosen: false }]
  /** A member that has sent its socket, and what was started for it. */
  const world = async () => {
    const started: { member: FakeMember; handed: HandedSockets | undefined; open: boolean }[] = []
    let closed = 0
    const close = (): void => {
      closed += 1
    }
    const handle = { fd: 12, close }
    const start = (_name: string, _index: number, handed?: HandedSockets): FakeMember => {
      const member = handed === undefined ? new FakeMember().idle() : new FakeMember()
      started.push({ member, handed, open: closed === 0 })
      return member
    }
    const members = new Members(options(start))
    await members.start()
    const old = started[0]?.member as FakeMember
    const heard = (): unknown[] => old.steps
    old.say({ successor: 'socket' }, handle)
    old.say({ successor: 'start', timeout: 1000, sockets })
    await until(() => started.length === 3, 'a process to take over')
    return { members, started, old, next: started[2]?.member as FakeMember, heard, closed: () => closed }
  }

  it('is, by a process with its sockets, and is not started again when it has ended', async () => {
    const { members, started, old, next, heard, closed } = await world()
    expect([started[2]?.handed?.sockets, started[2]?.handed?.handles.map(({ fd }) => fd)]).to.deep.equal([
      sockets,
      [12]
    ])
    expect([started[2]?.open, closed()], 'the socket here is closed once it is passed on').to.deep.equal([true, 1])
    next.idle()
    await until(() => heard().length === 1)
    expect(next.steps).to.deep.equal([])
    old.say({ successor: 'take' })
    await until(() => next.steps.length === 1)
    next.say({ serves: true })
    await until(() => heard().length === 2)
    expect(heard()).to.deep.equal(Array(2).fill({ successor: { pid: 4711 } }))
    old.say({ successor: 'left', published: ['x'] })
    await until(() => next.steps.length === 2)
    expect(next.steps).to.deep.equal([{ take: true }, { published: ['x'] }])
    old.exit(0)
    await members.stop({ drain: 0 })
    expect(started).to.have.length(3)
    expect(old.killed).to.equal(false)
  })

  it('serves on where the other process fails to start, or ends before it accepts, and is told why', async () => {
    for (const accepts of [false, true]) {
      const { members, started, old, next, heard } = await world()
      if (accepts) {
        next.idle()
        await until(() => heard().length === 1)
        old.say({ successor: 'take' })
        await until(() => next.steps.length === 1)
      } else next.say({ failed: { code: 'config.invalid', detail: 'server.drain' } })
      setImmediate(() => setImmediate(() => next.exit(6)))
      await until(() => JSON.stringify(heard()).includes('control.upgrade-failed'))
      expect(JSON.stringify(heard().at(-1))).to.contain(accepts ? 'has ended with code 6' : 'server.drain')
      // The parent puts the name in front.
      expect(JSON.stringify(heard().at(-1))).not.to.contain('member 1:')
      await members.stop({ drain: 0 })
      expect(old.received.some(({ ask: what }) => what === 'stop')).to.equal(true)
      expect(started).to.have.length(3)
    }
  })

  it('has no socket left open here that comes behind its end', async () => {
    const { members, old, next, closed } = await world()
    old.exit(1)
    await until(() => next.killed)
    const before = closed()
    let late = 0
    const close = (): void => {
      late += 1
    }
    old.say({ successor: 'socket' }, { fd: 13, close })
    await until(() => late === 1, 'the late socket is closed')
    expect(closed()).to.equal(before)
    await members.stop({ drain: 0 })
  })
})
