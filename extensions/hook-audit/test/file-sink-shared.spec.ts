import { expect } from 'chai'
import { appendFile, open as openFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { FileSink } from '../src/file-sink.js'
import { compress } from '../src/rotation.js'
import { AuditFile, line } from './audit-file.js'

describe('the file of the audit that several processes write', () => {
  let world: AuditFile
  beforeEach(async () => {
    world = new AuditFile()
    await world.begin()
  })
  afterEach(() => world.end())

  it('may be shared', async () => {
    const [one, two] = [await world.open({ every: 'never' }), await world.open({ every: 'never' })]
    for (let i = 0; i < 20; i += 1) await Promise.all([one.write(line(`one ${i}`)), two.write(line(`two ${i}`))])
    expect((await world.text()).split('\n').filter((it) => it !== '')).to.have.length(40)
  })

  for (const way of ['under a lock', 'where the folder of the lock is full'])
    it(`may be shared by several that put it aside and compress it, ${way}: nothing is lost`, async () => {
      world.locksFail = way !== 'under a lock'
      const names = ['a', 'b', 'c']
      const all = await Promise.all(names.map(() => world.open({ maxSize: '1kB', compress: true, keep: 10_000 })))
      const writeAll = async (sink: FileSink, name?: string): Promise<void> => {
        for (let i = 0; i < 30; i += 1) await sink.write(line(`${name} ${i} ${'.'.repeat(200)}`))
      }
      await Promise.all(all.map((sink, index) => writeAll(sink, names[index])))
      for (const sink of all) await sink.close()
      const kept = await world.aside()
      expect(kept.length).to.be.greaterThan(5)
      const contents = await Promise.all(
        kept.map(async (name) => {
          const bytes = await readFile(join(world.dir, name))
          return name.endsWith('.gz') ? gunzipSync(bytes).toString() : bytes.toString()
        })
      )
      const found = [...contents, await world.text()].join('').split('\n')
      for (const name of names) {
        const numbers = new Set(found.filter((each) => each.startsWith(name)).map((each) => each.split(' ')[1]))
        expect(numbers.size, `lines of ${name}`).to.equal(30)
      }
    })

  describe('beside another process', () => {
    let restore = (): void => {}
    afterEach(() => restore())

    /** Does something before a method of a file runs for the first time, or behind it. */
    const around = async (method: 'write' | 'stat', when: 'before' | 'behind', work: () => Promise<void>) => {
      const handle = await openFile(world.file, 'a')
      const methods = Object.getPrototypeOf(handle) as Record<string, (...args: unknown[]) => Promise<unknown>>
      await handle.close()
      const original = methods[method] as (...args: unknown[]) => Promise<unknown>
      restore = () => {
        methods[method] = original
      }
      methods[method] = async function (...args) {
        restore()
        if (when === 'before') await work()
        const answer = await original.apply(this, args)
        if (when === 'behind') await work()
        return answer
      }
    }

    it('is written again when the file is removed while it is written to', async () => {
      const sink = await world.open()
      await sink.write(line('one'))
      await around('write', 'before', () => rm(world.file))
      await sink.write(line('two'))
      expect(await world.text()).to.equal('two\n')
    })

    it('is written once when the file is put aside while it is written to', async () => {
      const sink = await world.open()
      await around('write', 'before', () => rename(world.file, join(world.dir, 'audit.1')))
      await sink.write(line('one'))
      await sink.write(line('two'))
      expect([await readFile(join(world.dir, 'audit.1'), 'utf8'), await world.text()]).to.deep.equal(['one\n', 'two\n'])
    })

    it('keeps what the other one writes to a file while that is compressed', async () => {
      await writeFile(world.file, 'one')
      // Within a batch of the other one: a size is that of some pages of it.
      await around('stat', 'behind', () => appendFile(world.file, ' and a half\ntwo\n'))
      await compress(world.file)
      expect(gunzipSync(await readFile(`${world.file}.gz`)).toString()).to.equal('one and a half\ntwo\n')
      expect(await readdir(world.dir)).to.deep.equal(['audit.ndjson.gz'])
    })

    it('begins a new line after one that the other one has torn', async () => {
      const sink = await world.open()
      await sink.write(line('one'))
      await appendFile(world.file, '{"half')
      await sink.write(line('two'))
      expect(await world.text()).to.equal('one\n{"half\ntwo\n')
    })

    it('does not put aside the file that the other one has just begun', async () => {
      const sink = await world.open({ maxSize: '1kB' })
      await sink.write(line('v'.repeat(2000)))
      world.beforeLock = async () => {
        await rename(world.file, join(world.dir, 'audit-by-another.ndjson'))
        await writeFile(world.file, 'begun\n')
      }
      await sink.write(line('next'))
      expect(await world.text()).to.equal('begun\nnext\n')
      expect(await world.aside()).to.deep.equal(['audit-by-another.ndjson'])
    })

    it('goes on in the same file while the other one puts it aside, and without a folder for locks', async () => {
      const sink = await world.open({ maxSize: '1kB' })
      await sink.write(line('v'.repeat(2000)))
      const before = await world.text()
      const name = await new Promise<string>((resolve) => {
        world.beforeLock = async (lockName) => {
          world.locks.add(lockName)
          resolve(lockName)
        }
        void sink.write(line('meanwhile'))
      })
      await sink.write(line('and then'))
      expect(await world.text()).to.equal(`${before}meanwhile\nand then\n`)
      world.locks.delete(name)
      world.beforeLock = () => Promise.reject(new Error('read only'))
      await sink.write(line('next'))
      expect(await world.text()).to.equal('next\n')
    })
  })

  it('that was put aside is in it once when another process is still writing to it', async () => {
    const [one, two] = [await world.open({ maxSize: '1kB' }), await world.open({ maxSize: '1kB' })]
    await one.write(line('v'.repeat(2000)))
    await one.write(line('next'))
    await two.write(line('of another'))
    expect(await world.text()).to.equal('next\nof another\n')
    expect(await world.aside()).to.have.length(1)
  })
})
