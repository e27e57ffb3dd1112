import assert from 'node:assert/strict'
import { type DirectorySubject, DirectoryWorld } from './directory-world.js'
import { caseMaker, defineKit, type Kit } from './kit.js'

const it = caseMaker<DirectorySubject, DirectoryWorld>(DirectoryWorld.open)

/** As many servers as may claim one name at once. */
const MANY = 20

/** A limit that members share. */
const LIMIT = 100

/** Members that claim one key at once. */
const CONTENDERS = 100

/** For cases in which no lease ends: so many calls at once take longer than half a short lease on a busy machine. */
const LONG_MS = 60_000

const DAY_MS = 86_400_000

const cases = [
  it('grants a key to one of many that claim it at once', async (world) => {
    const members = await Promise.all(
      Array.from({ length: CONTENDERS }, (_, index) => world.joined(`m${index}`, { lease: LONG_MS }))
    )
    const grants = await world.scope.wait(
      Promise.all(members.map((member, index) => member.claim({ key: 'x', id: `id ${index}`, owner: `o${index}` }))),
      'the claims'
    )
    assert.equal(grants.filter((grant) => 'fence' in grant).length, 1, 'holders of one key')
  }),
  it('names the holder of a key, with what it says of itself', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    const fence = await world.granted(a, { value: { deep: [1, 'two', null] } })
    const [row] = await world.held(b, { id: 'two', owner: 'office' })
    const expected = { key: 'x', id: 'one', owner: 'home', member: 'a', instance: 'instance-of-a', fence }
    assert.deepEqual({ ...row }, { ...expected, value: { deep: [1, 'two', null] } }, 'the row')
  }),
  it('grants a row again to its holder, with the new value and a larger number', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    const first = await world.granted(a, { value: 1 })
    const second = await world.granted(a, { value: 2 })
    assert.ok(second > first, `the number ${second} is not larger than ${first}`)
    const [row] = await world.held(b, { id: 'two', owner: 'office' })
    assert.equal(row?.value, 2, 'the value')
  }),
  it('numbers grants upwards over all keys and members', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    const fences = [
      await world.granted(a, { key: 'x', id: '1' }),
      await world.granted(b, { key: 'y', id: '2' }),
      await world.granted(a, { key: 'z', id: '3' }),
      await world.granted(b, { key: 'w', id: '4' })
    ]
    assert.deepEqual(
      fences,
      [...new Set(fences)].sort((one, other) => one - other),
      'the numbers'
    )
  }),
  it('lets rows of one owner with the same word share a key, and no others', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    await world.granted(a, { id: '1', share: 'group' })
    await world.granted(b, { id: '2', share: 'group' })
    const held = await world.held(b, { id: '3', share: 'another' })
    assert.deepEqual(held.map(({ id }) => id).sort(), ['1', '2'], 'the rows in the way')
    await world.held(b, { id: '4' })
    await world.held(b, { id: '5', share: 'group', owner: 'office' })
  }),
  it('replaces a row of the same owner that is named by its number, and no other', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    const watched = await world.watched(a)
    const fence = await world.granted(a, { id: '1' })
    await world.held(b, { id: '2', replace: [fence + 1] })
    await world.held(b, { id: '2', owner: 'office', replace: [fence] })
    await world.granted(b, { id: '2', replace: [fence] })
    await world.until(() => watched.rows.has('2') && !watched.rows.has('1'), 'the row that was replaced to go')
  }),
  it('frees a key that is given back, by its holder only', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    await world.granted(a, {})
    await world.scope.wait(b.release('x', 'one'), 'release()')
    await world.held(b, { id: 'two', owner: 'office' })
    await world.scope.wait(a.release('x', 'one'), 'release()')
    await world.granted(b, { id: 'two', owner: 'office' })
  }),
  it('refuses a name that another instance has', async (world) => {
    await world.joined('a')
    await world.rejects('join()', 'cluster.name-taken', world.member('a', { instance: 'another' }).join())
  }),
  it('keeps what is renewed', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    await world.granted(a, {})
    for (let round = 0; round < 4; round += 1) {
      await world.subject.pass(world.lease / 2)
      assert.equal(await world.scope.wait(a.renew(), 'renew()'), true, 'whether the lease runs')
      await world.scope.wait(b.renew(), 'renew()')
    }
    await world.held(b, { id: 'two', owner: 'office' })
  }),
  it('keeps the keys of a member that is gone for their owner, until the grace is over', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    await world.granted(a, { key: 'x', id: '1' })
    await world.granted(a, { key: 'y', id: '2' })
    await world.passWith([b], world.lease * 1.25)
    await world.held(b, { key: 'x', id: '3', owner: 'office' })
    await world.granted(b, { key: 'y', id: '4' })
    await world.passWith([b], world.grace)
    await world.granted(await world.joined('c'), { key: 'x', id: '3', owner: 'office' })
  }),
  it('allots no more of a limit than there is, to many that ask at once', async (world) => {
    const members = await Promise.all(
      Array.from({ length: MANY }, (_, index) => world.joined(`m${index}`, { lease: LONG_MS }))
    )
    const ask = (): Promise<number[]> =>
      Promise.all(members.map((member) => member.allot({ key: 'x', limit: LIMIT, used: 0, want: 10 })))
    for (const when of ['at first', 'asked again']) {
      const allotted = await world.scope.wait(ask(), 'allot()')
      const sum = allotted.reduce((one, other) => one + other, 0)
      assert.ok(sum <= LIMIT, `${sum} of ${LIMIT} were allotted ${when}`)
      assert.ok(sum >= LIMIT / 2, `only ${sum} of ${LIMIT} were allotted ${when}`)
    }
  }),
  it('allots all of a limit to one member while the others want nothing', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    assert.equal(await world.allotted(a, 0, LIMIT), LIMIT, 'alone')
    assert.equal(await world.allotted(b, 0, 1), 0, 'while another has all')
    assert.equal(await world.allotted(a, 0, 0), 0, 'given back')
    assert.equal(await world.allotted(b, 0, LIMIT), LIMIT, 'after it was given back')
  }),
  it('takes from a member what it does not use as soon as another wants it, and no more', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    await world.allotted(a, 0, LIMIT)
    await world.allotted(b, 0, LIMIT)
    assert.equal(await world.allotted(a, LIMIT * 0.6, LIMIT), LIMIT * 0.6, 'what is in use')
    assert.equal(await world.allotted(b, 0, LIMIT), LIMIT * 0.4, 'the rest')
    assert.equal(await world.allotted(a, 0, LIMIT), LIMIT * 0.5, 'the fair part')
  }),
  it('gives back what a member was allotted when its lease is over', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    await world.allotted(a, LIMIT, LIMIT)
    await world.passWith([b], world.lease * 1.25)
    assert.equal(await world.allotted(b, 0, LIMIT), LIMIT, 'after the lease')
    await world.rejects('allot() without a lease', 'cluster.fenced', a.allot({ key: 'x', limit: 1, used: 0, want: 1 }))
  }),
  it('says that a lease was lost, and lets the member join again', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    await world.passWith([b], world.lease * 1.25)
    assert.equal(await world.scope.wait(a.renew(), 'renew()'), false, 'whether the lease runs')
    await world.scope.wait(a.join(), 'join()')
    assert.equal(await world.scope.wait(a.renew(), 'renew()'), true, 'whether the new lease runs')
  }),
  it('shows a watcher what there is, and everything that comes', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    await world.granted(a, { key: 'before', id: '1' })
    const watched = await world.watched(b)
    assert.deepEqual([watched.keys, [...watched.members.keys()].sort()], [['before'], ['a', 'b']], 'the snapshot')
    for (let index = 0; index < MANY; index += 1) await world.granted(a, { key: `k${index}`, id: `id ${index}` })
    await world.scope.wait(a.release('before', '1'), 'release()')
    await world.until(() => watched.keys.length === MANY && !watched.rows.has('1'), 'the changes')
  }),
  it('misses nothing that happens while it begins to watch', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    const claims = Array.from({ length: MANY }, (_, index) => world.granted(a, { key: `k${index}`, id: `id ${index}` }))
    const watched = await world.watched(b)
    await Promise.all(claims)
    await world.until(() => watched.keys.length === MANY, `all of ${MANY} rows`)
  }),
  it('tells of a member that is gone', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    await world.granted(a, {})
    const watched = await world.watched(b)
    await world.passWith([b], world.lease * 1.25)
    await world.until(() => !watched.members.has('a') && watched.rows.size === 0, 'the end of the member')
  }),
  it('frees everything of a member that leaves', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('b')]
    const watched = await world.watched(b)
    await world.granted(a, {})
    await world.scope.wait(a.leave(), 'leave()')
    await world.granted(b, { id: 'two', owner: 'office' })
    await world.until(() => !watched.members.has('a'), 'the end of the member')
    await world.joined('a', { instance: 'another' })
  }),
  it('keeps clusters apart', async (world) => {
    const [a, b] = [await world.joined('a'), await world.joined('a', { cluster: 'another', instance: 'other' })]
    const watched = await world.watched(b)
    await world.granted(a, { owner: 'home' })
    await world.granted(b, { owner: 'office' })
    await world.until(() => watched.rows.size === 1, 'one row of each')
    assert.deepEqual(
      [...watched.rows.values()].map(({ owner }) => owner),
      ['office'],
      'rows of another cluster'
    )
  }),
  it('does not mind a member whose clock is a day off', async (world) => {
    const { clock } = world
    const late = { now: () => clock.now() - DAY_MS, after: clock.after.bind(clock) }
    const early = { ...late, now: () => clock.now() + DAY_MS }
    const a = await world.joined('a', { clock: late })
    const b = await world.joined('b', { clock: early })
    await world.granted(a, { key: 'x' })
    await world.granted(b, { key: 'y', id: 'two' })
    await world.held(b, { key: 'x', id: 'three', owner: 'office' })
    await world.held(a, { key: 'y', id: 'four', owner: 'office' })
    assert.deepEqual([await a.renew(), await b.renew()], [true, true], 'whether the leases run')
  }),
  it(
    'is filled again by its members after a restart without data',
    async (world) => {
      const [a, b] = [await world.joined('a'), await world.joined('b')]
      const watched = await world.watched(b)
      const before = await world.granted(a, {})
      await world.subject.restart?.()
      assert.equal(await world.renewed(a), false, 'whether the lease runs')
      await world.renewed(b)
      for (const member of [a, b]) await world.scope.wait(member.join(), 'join()')
      const after = await world.granted(a, {})
      assert.ok(after > before, `the number ${after} is not larger than ${before}, from before the restart`)
      await world.scope.wait(b.renew(), 'renew()')
      await world.until(
        () => watched.snapshots > 1 && watched.rows.get('one')?.fence === after,
        'a snapshot after the restart'
      )
    },
    { applies: ({ restart }) => restart !== undefined }
  ),
  it(
    'says so while the engine is away, and goes on when it is back',
    async (world) => {
      const [a, b] = [await world.joined('a'), await world.joined('b')]
      const watched = await world.watched(b)
      await world.subject.away?.(true)
      await world.rejects('claim()', 'cluster.unavailable', a.claim({ key: 'x', id: 'one', owner: 'home' }))
      await world.rejects('renew()', 'cluster.unavailable', a.renew())
      await world.subject.away?.(false)
      for (const member of [a, b]) if (!(await world.renewed(member))) await world.scope.wait(member.join(), 'join()')
      await world.granted(a, {})
      await world.until(() => watched.rows.has('one'), 'what happens after the engine is back')
    },
    { applies: ({ away }) => away !== undefined }
  ),
  it(
    'counts no member as gone whose lease ended while the engine did not answer',
    async (world) => {
      const [a, b, c] = [await world.joined('a'), await world.joined('b'), await world.joined('c')]
      const watched = await world.watched(b)
      await world.granted(a, {})
      await world.allotted(a, LIMIT, LIMIT)
      await world.subject.slow?.(true)
      await world.subject.pass(world.lease * 1.25)
      await world.subject.slow?.(false)
      assert.equal(await world.renewed(b), true, 'whether the lease runs of the first that renews')
      await world.held(b, { id: 'two', owner: 'office' })
      await world.held(b, { id: 'two' })
      assert.equal(await world.allotted(b, 0, 1), 0, 'what is allotted of what another has')
      assert.equal(await world.renewed(a), true, 'whether the lease runs of the second')
      assert.deepEqual([...watched.members.keys(), ...watched.rows.keys()], ['a', 'b', 'c', 'one'], 'what is there')
      await world.passWith([a, b], world.lease * 1.25)
      await world.until(() => !watched.members.has('c'), 'the end of a member that does not renew afterwards')
      assert.equal(await world.scope.wait(c.renew(), 'renew()'), false, 'whether the lease runs of one that is late')
    },
    { applies: ({ slow }) => slow !== undefined }
  ),
  it(
    'does not wait for an engine that does not answer',
    async (world) => {
      const a = await world.joined('a')
      await world.subject.slow?.(true)
      const calls = [a.renew(), a.claim({ key: 'x', id: 'one', owner: 'home' })]
      for (const promise of calls) promise.catch(() => {})
      await world.subject.pass(world.lease * 1.5)
      for (const promise of calls) await world.rejects('a call', 'cluster.unavailable', promise)
      await world.subject.slow?.(false)
    },
    { applies: ({ slow }) => slow !== undefined }
  ),
  it(
    'leaves out what cannot be understood',
    async (world) => {
      const [a, b] = [await world.joined('a'), await world.joined('b')]
      await world.granted(a, { key: 'good', id: 'good' })
      await world.subject.tamper?.()
      const watched = await world.watched(b)
      assert.deepEqual(watched.keys, ['good'], 'the rows that can be understood')
      assert.deepEqual([...watched.members.keys()].sort(), ['a', 'b'], 'the members that can be understood')
    },
    { applies: ({ tamper }) => tamper !== undefined }
  )
]

/** What every directory must do. Call it where `describe` may be called. */
export const directoryKit: Kit<DirectorySubject> = defineKit('directory', cases)
