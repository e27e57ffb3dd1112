import { type DirectoryChange, type DirectorySnapshot, silentLog } from '@rystra/plugin'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import type { Engine } from '../src/engine.js'
import { Feed } from '../src/feed.js'
import { members } from '../src/scripts.js'
import { ownerWord, recordText, shareWord } from '../src/text.js'

const row = (fence: number, id: string): string => {
  const claim = { key: 'x', id, owner: 'home' }
  return `${fence} i ${ownerWord('home')} ${shareWord(undefined)} ${recordText(claim, 'a')}`
}

const held = (sequence: number, id: string): string => JSON.stringify([String(sequence), 'held', row(sequence, id)])

/** An engine that answers what it is told to, when it is told to. */
class FakeEngine {
  sequence = 0
  rows: string[] = []
  snapshots = 0
  /** While set, answers wait. */
  late: Promise<void> | undefined
  listener: (message: string) => void = () => {}

  async subscribe(listener: (message: string) => void): Promise<void> {
    this.listener = listener
  }

  async run(script: object): Promise<unknown> {
    const answer =
      script === members ? [String(this.sequence), 'a', '1 i {"host":"127.0.0.1","port":1}'] : ['0', ...this.rows]
    if (script === members) this.snapshots += 1
    await this.late
    return answer
  }
}

describe('the feed of a directory on Redis', () => {
  const watch = async () => {
    const engine = new FakeEngine()
    const feed = new Feed(engine as unknown as Engine, silentLog)
    const seen: { changes: DirectoryChange[]; snapshots: DirectorySnapshot[] } = { changes: [], snapshots: [] }
    const watching = feed.watch({
      snapshot: (snapshot) => seen.snapshots.push(snapshot),
      change: (change) => seen.changes.push(change)
    })
    return { engine, feed, seen, watching }
  }
  const ids = (changes: readonly DirectoryChange[]): string[] =>
    changes.map((change) => (change.type === 'held' ? change.row.id : change.type))

  it('tells a change once that comes twice, and in order', async () => {
    const { engine, seen, watching } = await watch()
    await watching
    for (const number of [1, 1, 2, 1, 2, 3]) engine.listener(held(number, `id${number}`))
    expect(ids(seen.changes)).to.deep.equal(['id1', 'id2', 'id3'])
    expect(engine.snapshots).to.equal(1)
  })

  it('reads all again after a gap, and loses nothing that comes while it reads', async () => {
    const { engine, seen, watching } = await watch()
    await watching
    engine.listener(held(1, 'id1'))
    let answer = (): void => {}
    engine.late = new Promise((resolve) => {
      answer = resolve
    })
    engine.sequence = 3
    engine.rows = [row(1, 'id1'), row(2, 'id2'), row(3, 'id3')]
    engine.listener(held(3, 'id3'))
    engine.listener(held(4, 'id4'))
    expect(ids(seen.changes)).to.deep.equal(['id1', 'id3'])
    answer()
    await until(() => seen.changes.length === 3, 'the change that came meanwhile')
    expect(ids(seen.changes)).to.deep.equal(['id1', 'id3', 'id4'])
    expect(seen.snapshots.at(-1)?.rows.map(({ id }) => id)).to.deep.equal(['id1', 'id2', 'id3'])
  })

  it('tells a row that no snapshot has, as of an engine that evicts it each time, and reads again after a gap while it read', async () => {
    const { engine, feed, seen, watching } = await watch()
    await watching
    let answer = (): void => {}
    engine.late = new Promise((resolve) => {
      answer = resolve
    })
    engine.listener(held(7, 'evicted'))
    engine.listener(held(9, 'next'))
    engine.sequence = 7
    answer()
    await until(() => engine.snapshots === 3, 'a snapshot after the gap between')
    expect(ids(seen.changes)).to.deep.equal(['evicted', 'next'])
    engine.run = () => Promise.reject(new Error('away'))
    engine.listener(held(20, 'last'))
    await until(() => ids(seen.changes).includes('last'))
    Reflect.deleteProperty(engine, 'run')
    feed.check(20, 20)
    await until(() => engine.snapshots === 4, 'the snapshot that failed before')
  })

  it('reads all again when the engine begins to count anew, as after a restart without data', async () => {
    const { engine, feed, seen, watching } = await watch()
    await watching
    for (const number of [1, 2, 3]) engine.listener(held(number, `id${number}`))
    engine.sequence = 1
    feed.check(1, 3)
    await until(() => engine.snapshots === 2, 'another snapshot')
    await until(() => seen.snapshots.length === 2)
    engine.listener(held(2, 'new'))
    expect(ids(seen.changes).at(-1)).to.equal('new')
  })

  it('ignores messages that no server wrote, and goes on', async () => {
    const { engine, seen, watching } = await watch()
    engine.rows = ['garbage', '1 i x y {}', row(9, 'other'), row(1, 'good').replace(' i ', ' another ')]
    await watching
    const garbage = [
      '',
      'x',
      'null',
      '{}',
      '[]',
      '["1"]',
      '["x","held"]',
      '["1","held",7]',
      '["1","wrong","x"]',
      '[1,"left","a"]'
    ]
    for (const message of garbage) engine.listener(message)
    engine.listener(held(1, 'id1'))
    expect(ids(seen.changes)).to.deep.equal(['id1'])
    expect(engine.snapshots).to.equal(1)
  })
})
