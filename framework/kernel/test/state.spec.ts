import type { Lifecycle, StateFolder } from '@rystra/plugin'
import { expect } from 'chai'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { extension, failure, provisioned } from './fixtures.js'

describe('what an extension keeps', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'rystra-state-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  const stateOf = async (name: string): Promise<StateFolder> => {
    let state: StateFolder | undefined
    const use = extension('keeper', (context) => {
      expect(context.name).equal(name)
      state = context.state
    })
    const { kernel } = await provisioned([{ ...use(), name }], { dir })
    await kernel.stop()
    return state as StateFolder
  }

  it('is in a folder of its own, made by the first write and readable by its owner alone', async () => {
    const state = await stateOf('keeper')
    expect(state.path).equal(path.join(dir, '.rystra', 'extensions', 'keeper'))
    expect(await state.read('counts.json')).equal(undefined)
    await state.remove('counts.json')
    expect(existsSync(path.join(dir, '.rystra'))).equal(false)
    await state.write('counts.json', '{}')
    expect(statSync(state.path).mode & 0o777).equal(0o700)
    expect(statSync(path.join(state.path, 'counts.json')).mode & 0o777).equal(0o600)
    await state.write('counts.json', Buffer.from('[]'))
    expect(String(await state.read('counts.json'))).equal('[]')
    expect(readdirSync(state.path)).deep.equal(['counts.json'])
    await state.remove('counts.json')
    expect(readdirSync(state.path)).deep.equal([])
  })

  it('is locked by one at a time; a lock that a crash has left is taken over when it is old', async () => {
    const [one, two] = [await stateOf('keeper'), await stateOf('keeper')]
    const release = await one.lock('work.lock', 60_000)
    expect(await two.lock('work.lock', 60_000)).equal(undefined)
    const file = path.join(one.path, 'work.lock')
    expect(statSync(file).mode & 0o777).equal(0o600)
    await release?.()
    expect(readdirSync(one.path)).deep.equal([])
    const left = await one.lock('work.lock', 60_000)
    utimesSync(file, 0, 0)
    const [first, ...others] = (await Promise.all([1, 2, 3].map(() => two.lock('work.lock', 60_000)))).filter(Boolean)
    expect(others).deep.equal([])
    await left?.()
    expect(existsSync(file), 'who lost it does not release it').equal(true)
    await first?.()
    expect(existsSync(file)).equal(false)
    await failure(one.lock('../work.lock', 1), 'extension.state')
  })

  it('is apart for each name, whatever the name is', async () => {
    const [one, two] = [await stateOf('acme/keeper'), await stateOf('a/../../../keeper')]
    await one.write('x', 'one')
    await two.write('x', 'two')
    expect(String(await one.read('x'))).equal('one')
    for (const { path: where } of [one, two]) expect(path.dirname(where)).equal(path.join(dir, '.rystra', 'extensions'))
  })

  it('takes no file outside of it, and says which path cannot be written', async () => {
    const state = await stateOf('keeper')
    for (const file of ['../x', 'a/b', '..', '.x', '', 'x'.repeat(129), 'a\0']) {
      await failure(state.write(file, ''), 'extension.state')
      await failure(state.read(file), 'extension.state')
    }
    writeFileSync(path.join(dir, '.rystra'), 'a file')
    expect((await failure(state.write('x', ''), 'extension.state')).detail).contain(state.path)
  })
})

describe('what a reload hands over', () => {
  const counting = (seen: unknown[], handover: (() => unknown) | undefined) => (mark: number) =>
    extension('counting', ({ previous }) => {
      seen.push(previous)
      return (handover === undefined ? {} : { handover }) as Lifecycle
    })({ mark })

  it('goes to the instance of the same name with other options, and to no other', async () => {
    const [seen, others]: [unknown[], unknown[]] = [[], []]
    const counts = new Map([['visits', 3]])
    const use = counting(seen, () => counts)
    const other = extension('other', ({ previous }) => void others.push(previous))
    const { kernel } = await provisioned([use(1)])
    await kernel.start()
    await kernel.reload([use(2), other()])
    expect(seen).deep.equal([undefined, counts])
    expect(seen[1]).equal(counts)
    await kernel.reload([{ ...other({ mark: 1 }), name: 'counting' }, other()])
    expect(others, 'another extension under this name').deep.equal([undefined, undefined])
    await kernel.stop()
  })

  it('is nothing when handover() throws or returns a promise, which is logged', async () => {
    for (const handover of [() => Promise.reject(new Error('late')), () => (undefined as unknown as { x: 1 }).x]) {
      const seen: unknown[] = []
      const use = counting(seen, handover)
      const { kernel, log } = await provisioned([use(1)])
      await kernel.start()
      await kernel.reload([use(2)])
      expect(seen).deep.equal([undefined, undefined])
      const [line] = log.lines.filter(({ level }) => level === 'error')
      expect(line?.fields['extension']).equal('counting')
      await kernel.stop()
    }
  })
})
