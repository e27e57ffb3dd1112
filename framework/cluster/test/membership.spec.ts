import {
  type DirectoryClaim,
  type DirectoryGrant,
  type DirectorySession,
  type DirectoryShare,
  RystraError,
  silentLog
} from '@rystra/plugin'
import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { Membership, type MembershipOptions } from '../src/membership.js'

/** A directory that does as it is told. */
class Engine implements DirectorySession {
  away = false
  isLost = false
  evicted: Pick<DirectoryClaim, 'key' | 'id'>[] = []
  joins = 0
  fence = 0
  readonly claims: string[] = []
  readonly released: string[] = []
  refuse: (claim: DirectoryClaim) => boolean = () => false

  #reached(): void {
    if (this.away) throw new RystraError('cluster.unavailable')
  }

  async join() {
    this.#reached()
    this.joins += 1
    this.isLost = false
    return { fence: 1 }
  }

  async renew() {
    this.#reached()
    return !this.isLost
  }

  async lost() {
    return this.evicted.splice(0)
  }

  async claim(claim: DirectoryClaim): Promise<DirectoryGrant> {
    this.#reached()
    this.claims.push(`${claim.key} ${claim.value}`)
    this.fence += 1
    return this.refuse(claim) ? { held: [] } : { fence: this.fence }
  }

  async release(key: string) {
    this.#reached()
    this.released.push(key)
  }

  async allot({ want }: DirectoryShare) {
    this.#reached()
    return want
  }

  async watch() {}
  async leave() {}
}

const claim = (key: string, value = 1): DirectoryClaim => ({ key, id: 'one', owner: 'home', value })

describe('the membership of a server', () => {
  const make = async (change: Partial<MembershipOptions> = {}) => {
    const engine = new Engine()
    const clock = new FakeClock()
    const states: string[] = []
    const lost: string[] = []
    const membership = new Membership({
      session: engine,
      watcher: { snapshot: () => {}, change: () => {} },
      lease: 3000,
      grace: 6000,
      clock,
      log: silentLog,
      onLost: ({ key }) => lost.push(key),
      onState: (state) => states.push(state),
      monotonic: () => clock.now(),
      ...change
    })
    await membership.start()
    return { engine, clock, states, lost, membership }
  }

  it('claims everything again when the lease was lost, and tells what others have by now', async () => {
    const { engine, clock, lost, membership } = await make()
    for (const key of ['x', 'y', 'z']) await membership.claim(claim(key))
    engine.isLost = true
    engine.refuse = ({ key }) => key === 'y'
    await clock.pass(1000)
    expect([engine.joins, engine.claims.slice(3), lost]).to.deep.equal([2, ['x 1', 'y 1', 'z 1'], ['y']])
  })

  it('claims those again that the engine has lost, and no others, as each write may evict another one', async () => {
    const beats: boolean[] = []
    const { engine, clock, membership } = await make({ onBeat: (again) => void beats.push(again) })
    for (const key of ['x', 'y', 'z']) await membership.claim(claim(key))
    engine.evicted = [claim('y'), claim('gone')]
    await clock.pass(2000)
    expect([engine.joins, engine.claims.slice(3), beats]).to.deep.equal([1, ['y 1'], [true, true, false]])
  })

  it('claims everything again also when the engine goes away while it does', async () => {
    const { engine, clock, membership } = await make()
    for (const key of ['x', 'y', 'z']) await membership.claim(claim(key))
    engine.isLost = true
    engine.refuse = ({ key }) => {
      engine.away = key === 'y'
      return false
    }
    await clock.pass(1000)
    engine.away = false
    engine.refuse = () => false
    engine.claims.length = 0
    await clock.pass(1000)
    expect([engine.claims, membership.state]).to.deep.equal([['x 1', 'y 1', 'z 1'], 'up'])
  })

  it('goes on for lease and grace while the engine is away, then is fenced, and comes back by itself', async () => {
    const { engine, clock, states, membership } = await make()
    engine.away = true
    await clock.pass(8999)
    expect([membership.valid, states]).to.deep.equal([true, ['up', 'away']])
    await clock.pass(1001)
    expect([membership.valid, states]).to.deep.equal([false, ['up', 'away', 'fenced']])
    engine.away = false
    await clock.pass(1000)
    expect([membership.valid, states]).to.deep.equal([true, ['up', 'away', 'fenced', 'up']])
  })

  it('renews its lease also when the server fails to act on a state or on a row that it lost', async () => {
    const failures: string[] = []
    const fail = (): never => {
      throw new TypeError('a mistake of the server')
    }
    const { engine, clock, membership } = await make({
      log: { ...silentLog, error: (_: object | string, message?: string) => void failures.push(String(message)) },
      onLost: fail,
      onState: fail
    })
    await membership.claim(claim('x'))
    engine.isLost = true
    engine.refuse = () => true
    await clock.pass(20_000)
    expect([membership.state, membership.valid, engine.joins]).to.deep.equal(['up', true, 2])
    expect(failures).to.deep.equal(Array(2).fill('the server did not act on a change of its cluster'))
  })

  it('is not valid in the first turn after it slept for too long', async () => {
    const { membership } = await make()
    let slept = 0
    const { membership: asleep } = await make({ monotonic: () => slept })
    expect([asleep.valid, membership.valid]).to.deep.equal([true, true])
    slept = 9001
    expect(asleep.valid).to.equal(false)
  })

  it('refuses new claims while the engine is away, and changes its own when it is back', async () => {
    const { engine, clock, membership } = await make()
    await membership.claim(claim('x'))
    engine.away = true
    await clock.pass(1000)
    const error = await membership.claim(claim('y')).catch((cause: unknown) => cause)
    expect((error as RystraError).code).to.equal('cluster.unavailable')
    expect(await membership.claim(claim('x', 2))).to.deep.equal({ fence: 1 })
    engine.away = false
    await clock.pass(1000)
    expect(engine.claims).to.deep.equal(['x 1', 'x 2'])
  })

  it('gives back later what the engine did not hear', async () => {
    const { engine, clock, membership } = await make()
    await membership.claim(claim('x'))
    engine.away = true
    await membership.release('x', 'one')
    engine.away = false
    await clock.pass(1000)
    expect(engine.released).to.deep.equal(['x'])
  })

  it('tells a row that another took, and none that was given back', async () => {
    const { lost, membership } = await make()
    await membership.claim(claim('x'))
    await membership.claim(claim('y'))
    await membership.release('x', 'one')
    membership.released({ key: 'x', id: 'one', fence: 1 })
    membership.released({ key: 'y', id: 'one', fence: 1 })
    membership.released({ key: 'y', id: 'one', fence: 2 })
    expect(lost).to.deep.equal(['y'])
  })
})
