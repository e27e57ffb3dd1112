import clusterRedis from '@rystra/cluster-redis'
import { type DirectoryChange, type DirectorySession, type Logger, RystraError, silentLog } from '@rystra/plugin'
import { FakeClock, setUpExtension, until } from '@rystra/testkit'
import { expect } from 'chai'
import { LateLine } from './late-line.js'
import { hasRedis, Redis } from './redis.js'

/** Longer than the spec: what ends here does so by hand. */
const LEASE_MS = 60_000

const KEY = '{rystra:c}:'

const claim = { key: 'x', id: 'one', owner: 'home' }

interface Line {
  readonly level: 'debug' | 'warn'
  readonly fields: Record<string, unknown>
  readonly message: string
}

describe('a Redis that loses data or was away', () => {
  let redis: Redis
  let clock: FakeClock
  let lines: Line[]
  let sessions: DirectorySession[]

  if (!hasRedis) {
    it('(skipped: there is no redis-server on this machine)')
    return
  }

  before(async () => {
    redis = await Redis.start()
  })
  beforeEach(() => {
    clock = new FakeClock()
    lines = []
    sessions = []
  })
  afterEach(async () => {
    await set('maxmemory', '0')
    await set('maxmemory-policy', 'noeviction')
    for (const session of sessions) await session.leave()
    await redis.by(async (client) => void (await client.flushAll()))
  })
  after(() => redis.stop())

  const set = (name: string, value: string): Promise<void> =>
    redis.by(async (client) => void (await client.configSet(name, value)))

  const log: Logger = {
    ...silentLog,
    debug: (fields: object | string, message?: string) => note('debug', fields, message),
    warn: (fields: object | string, message?: string) => note('warn', fields, message),
    child: () => log
  }
  const note = (level: Line['level'], fields: object | string, message = ''): void =>
    void lines.push({
      level,
      fields: typeof fields === 'string' ? {} : { ...fields },
      message: message || String(fields)
    })
  const said = (level: Line['level'], what: RegExp): Line[] =>
    lines.filter((line) => line.level === level && what.test(line.message))

  const open = (name: string, url = redis.url, instance = `instance-of-${name}`): DirectorySession => {
    const [directory] = setUpExtension(clusterRedis({ url }), 'server').registered('directories')
    const session = directory?.open({
      cluster: 'c',
      name,
      instance,
      value: {},
      lease: LEASE_MS,
      grace: LEASE_MS,
      clock,
      log
    }) as DirectorySession
    sessions.push(session)
    return session
  }
  const joined = async (name: string): Promise<DirectorySession> => {
    const session = open(name)
    await session.join()
    return session
  }
  const heard = async (session: DirectorySession): Promise<DirectoryChange[]> => {
    const changes: DirectoryChange[] = []
    await session.watch({ snapshot: () => {}, change: (change) => void changes.push(change) })
    return changes
  }
  /** As a server renews. Whether it had to claim again. */
  const beat = async (session: DirectorySession, ...rows: (typeof claim)[]): Promise<boolean> => {
    const joined = await session.renew()
    if (!joined) await session.join()
    const lost = joined ? ((await session.lost?.()) ?? []) : rows
    for (const { key } of lost)
      for (const row of rows) if (row.key === key) expect(await session.claim(row)).to.have.property('fence')
    return lost.length > 0 || !joined
  }

  it('does nothing that arrives on a line behind what was said on its successor', async () => {
    const line = await LateLine.to(redis.port)
    try {
      const a = open('a', line.url)
      const b = await joined('b')
      await a.join()
      const held = await a.claim({ ...claim, key: 'held' })
      line.hold()
      const share = { key: 'limit', limit: 100, used: 0 }
      const late = Promise.allSettled([
        a.allot({ ...share, want: 100 }),
        a.claim(claim),
        a.release('held', claim.id),
        a.renew()
      ])
      await until(() => line.waiting > 0)
      clock.advance(LEASE_MS / 2)
      expect((await late).map(({ status }) => status)).to.deep.equal(Array.from({ length: 4 }, () => 'rejected'))
      // What is wanted by now.
      expect(await a.allot({ ...share, want: 0 })).to.equal(0)
      await a.release(claim.key, claim.id)
      await line.arrive()
      expect(await b.allot({ ...share, want: 100 }), 'allotted to a server that gave it back').to.equal(100)
      expect(await b.claim({ ...claim, owner: 'office' }), 'held by a server that gave it back').to.have.property(
        'fence'
      )
      expect(await b.claim({ ...claim, key: 'held', owner: 'office' }), 'taken from its holder')
        .to.have.property('held')
        .with.nested.property('[0].fence', (held as { fence: number }).fence)
    } finally {
      line.close()
    }
  })

  describe('evicts keys', () => {
    const lost = {
      'the row': `${KEY}k:x`,
      'the list of rows of a server': `${KEY}r:instance-of-a`,
      'the members': `${KEY}m`,
      'the leases': `${KEY}e`,
      'the number of the last change': `${KEY}seq`,
      'the fencing number': `${KEY}fence`,
      'the lines of servers': `${KEY}l`
    }
    for (const [what, key] of Object.entries(lost)) {
      it(`and is filled again with the next renewal, without a name that goes: ${what}`, async () => {
        const [a, b] = [await joined('a'), await joined('b')]
        const first = await a.claim(claim)
        const changes = await heard(b)
        await redis.by(async (client) => void expect(await client.del(key)).to.equal(1))
        // The other one comes first: it must not take what is missing for what is gone.
        await beat(b)
        const again = await beat(a, claim)
        const c = await joined('c')
        const seen: string[] = []
        await c.watch({
          snapshot: ({ members, rows }) => {
            seen.push(...members.map(({ name }) => name).sort(), ...rows.map(({ id }) => id))
          },
          change: () => {}
        })
        expect(seen).to.deep.equal(['a', 'b', 'c', 'one'])
        expect(await b.claim({ ...claim, id: 'two', owner: 'office' })).to.have.property('held')
        const next = (await a.claim(claim)) as { fence: number }
        expect(next.fence).to.be.greaterThan((first as { fence: number }).fence)
        expect(changes.filter(({ type }) => type === 'left' || type === 'released')).to.deep.equal([])
        expect([await beat(a), await beat(b)], 'whether something is missing still').to.deep.equal([false, false])
        if (key.includes('k:') || key.includes('r:')) {
          expect([again, said('warn', /lost rows.*maxmemory-policy/).length]).to.deep.equal([true, 1])
        }
      })
    }

    it('and no change is missed when the number of the last one is counted anew, beyond what it was', async () => {
      const [a, b] = [await joined('a'), await joined('b')]
      const rows = new Set<string>()
      await b.watch({
        snapshot: (snapshot) => {
          for (const { key } of snapshot.rows) rows.add(key)
        },
        change: (change) => void (change.type === 'held' && rows.add(change.row.key))
      })
      await redis.by(async (client) => void (await client.del(`${KEY}seq`)))
      const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
      for (const key of keys) await a.claim({ ...claim, key })
      await b.renew()
      await until(() => rows.size === keys.length, 'b to know all')
    })

    it('and does not take for lost what was given back, or what another server has', async () => {
      const [a, b] = [await joined('a'), await joined('b')]
      const changes = await heard(a)
      const { fence } = (await a.claim(claim)) as { fence: number }
      await a.claim({ ...claim, key: 'y' })
      await a.release('y', 'one')
      await b.claim({ ...claim, id: 'two', replace: [fence] })
      await until(() => changes.filter(({ type }) => type === 'released').length === 2, 'a to hear of both')
      expect([await a.renew(), await a.lost?.()]).to.deep.equal([true, []])
      expect(said('warn', /lost/)).to.deep.equal([])
    })

    it('or may do so, and the log says what to set, once for each policy', async () => {
      await set('maxmemory-policy', 'allkeys-lru')
      const a = await joined('a')
      await until(() => said('warn', /maxmemory-policy to noeviction/).length === 1, 'a warning')
      await a.renew()
      clock.advance(60_000)
      await set('maxmemory-policy', 'volatile-ttl')
      await a.renew()
      await until(() => said('warn', /maxmemory-policy to noeviction/).length === 2, 'a warning of the next policy')
      expect(said('warn', /maxmemory-policy/).map(({ fields }) => fields.policy)).to.deep.equal([
        'allkeys-lru',
        'volatile-ttl'
      ])
    })

    it('or may do so, which a user of the ACL without INFO is not told: one line for debugging', async () => {
      await redis.by(async (client) => {
        await client.aclSetUser('few', ['on', '>secret', '~{rystra:*', '&{rystra:*', '+@all', '-@admin', '-@dangerous'])
      })
      const a = open('a', redis.url.replace('//', '//few:secret@'))
      await a.join()
      await until(() => said('debug', /is not known/).length === 1, 'a line')
      clock.advance(60_000)
      await a.renew()
      await a.renew()
      expect([said('debug', /is not known/).length, said('warn', /./)]).to.deep.equal([1, []])
      expect(said('debug', /is not known/)[0]?.fields.why).to.match(/can't run this command/)
    })
  })

  it('gives the name of a server that has ended to the one that is started again, once the lease is over', async () => {
    const [a, b] = [await joined('a'), await joined('b')]
    await a.claim(claim)
    const changes = await heard(b)
    const next = open('a', redis.url, 'next')
    const error = await next.join().catch((cause: unknown) => cause)
    expect(error).to.be.instanceOf(RystraError).with.property('code', 'cluster.name-taken')
    const grace = String(Date.now() + LEASE_MS)
    await redis.by(async (client) => void (await client.hSet(`${KEY}e`, 'instance-of-a', `1 ${grace}`)))
    await next.join()
    await until(() => changes.length === 2, 'b to hear of it')
    expect(changes.map(({ type }) => type)).to.deep.equal(['left', 'joined'])
    expect(await next.claim(claim), 'the row of the one before').to.have.property('fence')
    expect(await a.renew(), 'of the one before').to.equal(false)
  })

  it('says what to do when its memory is full, and goes on when there is room', async () => {
    const a = await joined('a')
    await set('maxmemory', '1')
    for (const call of [a.renew(), a.claim(claim)]) {
      const error = await call.catch((cause: unknown) => cause)
      expect(error).to.be.instanceOf(RystraError).with.property('code', 'cluster.unavailable')
      expect((error as RystraError).detail).to.match(
        /^OOM command not allowed.*: the memory of Redis is full.*maxmemory/
      )
    }
    await set('maxmemory', '0')
    expect(await a.renew()).to.equal(true)
    expect(await a.claim(claim)).to.have.property('fence')
  })

  it('keeps the rows of all for one more lease when it was away for longer than lease and grace', async () => {
    const [a, b] = [await joined('a'), await joined('b')]
    const { fence } = (await a.claim(claim)) as { fence: number }
    const changes = await heard(a)
    await redis.by(async (client) => {
      await client.hSet(`${KEY}e`, { '.': '1', 'instance-of-a': '1 1', 'instance-of-b': '1 1' })
    })
    // It was sent before the engine was away, and arrives before any renewal.
    expect(await b.claim({ ...claim, id: 'two', owner: 'office' })).to.have.property('held')
    expect(await b.renew()).to.equal(true)
    expect(await b.claim({ ...claim, id: 'two' })).to.have.property('held')
    expect(await a.renew()).to.equal(true)
    expect(await b.claim({ ...claim, id: 'two', replace: [fence] })).to.have.property('fence')
    await until(() => changes.some(({ type }) => type === 'released'), 'a to hear of it')
    // While others renew, one that does not is gone.
    await redis.by(async (client) => void (await client.hSet(`${KEY}e`, { 'instance-of-b': '1 1' })))
    expect([await a.renew(), await b.renew()]).to.deep.equal([true, false])
    expect(await a.claim({ ...claim, id: 'three', owner: 'office' })).to.have.property('fence')
  })
})
