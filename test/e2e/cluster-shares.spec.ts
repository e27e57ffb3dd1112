import { MemoryDirectory } from '@rystra/cluster-memory'
import { type DirectorySession, type DirectoryShare, RystraError, silentLog } from '@rystra/plugin'
import { FakeClock, turns } from '@rystra/testkit'
import { expect } from 'chai'
import { SharedLimits } from '@rystra/cluster'

const LIMIT = 100

/** One server, and what it uses of a limit. */
class Server {
  readonly session: DirectorySession
  readonly limits: SharedLimits
  held = 0
  calls = 0
  away = false
  /** Calls on their way to the directory, while it is slow. */
  readonly #waiting: (() => void)[] = []
  #slow: 'calls' | 'answers' | undefined

  constructor(name: string, directory: MemoryDirectory, clock: FakeClock) {
    this.session = directory.open({
      cluster: 'c',
      name,
      instance: `instance of ${name}`,
      value: {},
      lease: 3000,
      grace: 3000,
      clock,
      log: silentLog
    })
    this.limits = new SharedLimits({
      allot: (share: DirectoryShare) => {
        this.calls += 1
        if (this.#slow === undefined) return this.#allot(share)
        const granted = this.#slow === 'answers' ? this.#allot(share) : undefined
        return new Promise((resolve) => void this.#waiting.push(() => resolve(granted ?? this.#allot(share))))
      },
      monotonic: () => clock.now(),
      log: silentLog
    })
  }

  #allot(share: DirectoryShare): Promise<number> {
    return this.away ? Promise.reject(new RystraError('cluster.unavailable')) : this.session.allot(share)
  }

  /** Calls, or answers to them, arrive when `answerLatest` lets them: of those that wait the last one first. */
  slowDown(late: 'calls' | 'answers'): void {
    this.#slow = late
  }

  async answerLatest(): Promise<void> {
    for (let call = this.#waiting.pop(); call !== undefined; call = this.#waiting.pop()) {
      call()
      await turns(5)
    }
    this.#slow = undefined
  }

  share(limit = LIMIT) {
    return this.limits.share('x', limit, () => this.held)
  }

  /** Takes as many as it is allowed to. */
  async takeAll(limit: ReturnType<Server['share']>, most = Number.POSITIVE_INFINITY): Promise<number> {
    const before = this.held
    while (this.held - before < most) {
      if (this.held >= limit.allowance) await limit.ask()
      if (this.held >= limit.allowance) break
      this.held += 1
    }
    return this.held - before
  }

  async beat(again = false): Promise<void> {
    this.limits.beat(again)
    await turns(5)
  }
}

describe('limits that servers share', () => {
  const world = async (): Promise<{ clock: FakeClock; servers: [Server, Server, Server] }> => {
    const [clock, directory] = [new FakeClock(), new MemoryDirectory()]
    const servers = ['a', 'b', 'c'].map((name) => new Server(name, directory, clock)) as [Server, Server, Server]
    for (const { session } of servers) await session.join()
    return { clock, servers }
  }
  const sum = (servers: readonly Server[]): number => servers.reduce((all, { held }) => all + held, 0)

  it('are never exceeded by servers that take all they can at once', async () => {
    const { servers } = await world()
    const limits = servers.map((server) => server.share())
    await Promise.all(servers.map((server, index) => server.takeAll(limits[index] as never)))
    expect(sum(servers)).to.be.within(LIMIT * 0.85, LIMIT)
    for (const server of servers) await server.beat()
    await Promise.all(servers.map((server, index) => server.takeAll(limits[index] as never)))
    expect(sum(servers), 'after what was not used was given back').to.equal(LIMIT)
  })

  it('are all there for one server while the others are idle, with few questions', async () => {
    const { servers } = await world()
    const [a, b] = servers
    const [one, other] = [a.share(), b.share()]
    await b.takeAll(other, 1)
    b.held = 0
    await b.beat()
    expect(await a.takeAll(one)).to.equal(LIMIT)
    expect(a.calls).to.be.lessThan(25)
    expect(await b.takeAll(other)).to.equal(0)
  })

  it('are all there for one server beside another that keeps what it uses, as the bytes of a day, and uses no more', async () => {
    const { servers } = await world()
    const [a, b] = servers
    const [one, other] = [a.share(), b.share()]
    await b.takeAll(other, 30)
    for (let beat = 0; beat < 2; beat += 1) await b.beat()
    expect(other.allowance).to.equal(30)
    expect(await a.takeAll(one)).to.equal(70)
  })

  it('of a few are kept to the last one', async () => {
    const { servers } = await world()
    const limits = servers.map((server) => server.share(2))
    await Promise.all(servers.map((server, index) => server.takeAll(limits[index] as never)))
    expect(sum(servers)).to.equal(2)
  })

  it('keep what was allotted while the engine is away, and give none besides', async () => {
    const { servers } = await world()
    const [a] = servers
    const limit = a.share()
    await a.takeAll(limit, 10)
    const { allowance } = limit
    a.away = true
    await a.beat()
    expect(limit.allowance).to.equal(allowance)
    await a.takeAll(limit)
    expect(a.held).to.equal(allowance)
  })

  it('are asked for again when the engine has lost its data', async () => {
    const { servers } = await world()
    const [a, b] = servers
    const limit = a.share()
    await a.takeAll(limit, 60)
    await a.session.leave()
    await a.session.join()
    await a.beat(true)
    expect(await b.takeAll(b.share())).to.be.at.most(40)
  })

  it('give back what a server had that closes them', async () => {
    const { servers } = await world()
    const [a, b] = servers
    const limit = a.share()
    await a.takeAll(limit)
    a.held = 0
    limit.close()
    await turns(5)
    expect(await b.takeAll(b.share())).to.equal(LIMIT)
  })

  it('are neither exceeded nor lost where one is closed and put again before a slow directory has answered', async () => {
    const { servers } = await world()
    const [a, b] = servers
    const before = a.share()
    await a.takeAll(before, 20)
    a.slowDown('calls')
    void before.ask()
    before.close()
    const limit = a.share()
    void limit.ask()
    await a.answerLatest()
    expect(limit.allowance).to.be.at.least(20)
    await b.takeAll(b.share())
    expect(limit.allowance + b.held).to.equal(LIMIT)
    a.held = 0
    limit.close()
    await turns(5)
    await b.takeAll(b.share())
    expect(b.held, 'with what was given back').to.equal(LIMIT)
  })

  it('are given back with a later beat where the directory was away, and none of it is used before', async () => {
    const { servers } = await world()
    const [a, b] = servers
    const before = a.share()
    await a.takeAll(before, 20)
    a.away = true
    a.held = 0
    before.close()
    await turns(5)
    expect(a.share().allowance, 'of what may have been given to others').to.equal(0)
    a.away = false
    await a.beat()
    await a.beat()
    expect(await b.takeAll(b.share())).to.equal(LIMIT)
  })

  it('are told to a directory that has lost its data while it was asked', async () => {
    const { servers } = await world()
    const [a, b] = servers
    const limit = a.share()
    await a.takeAll(limit, 60)
    a.slowDown('answers')
    void limit.ask()
    await a.session.leave()
    await a.session.join()
    a.limits.beat(true)
    await a.answerLatest()
    expect(await b.takeAll(b.share())).to.be.at.most(40)
  })

  it('as rates go to the servers that use them, and never above the limit', async () => {
    const { clock, servers } = await world()
    const totals = [0, 0, 0]
    const allowances = [0, 0, 0]
    for (const [index, { limits }] of servers.entries()) {
      limits.shareRate(
        'r',
        1600,
        () => totals[index] as number,
        (allowance) => {
          allowances[index] = allowance
        }
      )
    }
    expect(allowances).to.deep.equal([100, 100, 100])
    /** Lets these servers use all that they may for some seconds. */
    const run = async (busy: readonly number[]): Promise<void> => {
      for (let second = 0; second < 4; second += 1) {
        clock.advance(1000)
        for (const index of busy) totals[index] = (totals[index] as number) + (allowances[index] as number)
        for (const server of servers) {
          await server.session.renew()
          await server.beat()
        }
        expect(allowances.reduce((all, one) => all + one, 0)).to.be.at.most(1600)
      }
    }
    await run([0])
    expect(allowances).to.deep.equal([1400, 100, 100])
    await run([0, 1])
    expect(allowances[0]).to.be.within(530, 1000)
    expect(allowances[1]).to.be.within(530, 1000)
  })
})
