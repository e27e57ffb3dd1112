import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  open as openFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { FileSink } from '../src/file-sink.js'
import { fileOptions } from '../src/options.js'
import { compress } from '../src/rotation.js'
import { until } from './fakes.js'

const line = (text: string): Buffer => Buffer.from(`${text}\n`)

describe('the file of the audit', () => {
  let dir = ''
  let file = ''
  const sinks: FileSink[] = []
  const clock = new FakeClock(Date.UTC(2024, 0, 31, 23, 59, 59, 990))

  const locks = new Set<string>()
  let locksFail = false
  afterEach(() => {
    locksFail = false
  })
  /** What happens the next time that the lock is asked for. */
  let beforeLock: ((name: string) => Promise<void>) | undefined
  const state = {
    lock: async (name: string) => {
      const work = beforeLock
      beforeLock = undefined
      await work?.(name)
      if (locksFail) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      if (locks.has(name)) return undefined
      locks.add(name)
      return async () => void locks.delete(name)
    }
  }

  const open = async (options: Parameters<typeof fileOptions>[0] | object = {}, at = clock): Promise<FileSink> => {
    const sink = new FileSink(file, fileOptions({ file, compress: false, ...options }), { clock: at, state })
    sinks.push(sink)
    await sink.open()
    return sink
  }
  const aside = async (): Promise<string[]> => (await readdir(dir)).filter((name) => name.startsWith('audit-')).sort()
  const text = (): Promise<string> => readFile(file, 'utf8')

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rystra-audit-'))
    file = join(dir, 'audit.ndjson')
  })
  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink.close()
    await rm(dir, { recursive: true, force: true })
  })

  it('is made with its folders, for its owner alone, and is appended to', async () => {
    file = join(dir, 'deep', 'er', 'audit.ndjson')
    const sink = await open({ every: 'never' })
    await sink.write(line('one'))
    await sink.close()
    await (await open({ every: 'never' })).write(line('two'))
    expect(await text()).to.equal('one\ntwo\n')
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).to.equal(0o600)
  })

  it('is put aside when it is too large, and only so many are kept', async () => {
    const sink = await open({ maxSize: '1kB', keep: 2 })
    for (const letter of 'abcde') await sink.write(line(letter.repeat(1200)))
    await sink.write(line('last'))
    await sink.close()
    const kept = await aside()
    expect(kept).to.have.length(2)
    const contents = await Promise.all(kept.map((name) => readFile(join(dir, name), 'utf8')))
    expect(
      contents.map((content) => content[0]),
      'the newest, in the order of their names'
    ).to.deep.equal(['d', 'e'])
    expect(await text()).to.equal('last\n')
  })

  it('is compressed when it is put aside, and is for its owner alone there too', async () => {
    const sink = await open({ maxSize: '1kB', compress: true })
    await sink.write(line('z'.repeat(2000)))
    await sink.write(line('next'))
    await until(async () => (await aside()).every((name) => name.endsWith('.gz')))
    const [name = ''] = await aside()
    expect(name).to.match(/^audit-20240131T235959990\.ndjson\.gz$/)
    expect(gunzipSync(await readFile(join(dir, name))).toString()).to.equal(`${'z'.repeat(2000)}\n`)
    if (process.platform !== 'win32') expect((await stat(join(dir, name))).mode & 0o777).to.equal(0o600)
    expect(await text()).to.equal('next\n')
  })

  it('does not touch files of others when it tidies up', async () => {
    const others = [
      'audit-notes.ndjson',
      'audit-20240101T000000000.ndjson.bak',
      'other-20240101T000000000.ndjson',
      'audit-.ndjson'
    ]
    for (const name of others) await writeFile(join(dir, name), 'mine')
    const sink = await open({ maxSize: '1kB', keep: 1 })
    for (let i = 0; i < 3; i += 1) await sink.write(line('y'.repeat(1200)))
    await sink.close()
    expect(await readdir(dir)).to.include.members(others)
  })

  it('is put aside when a new day begins, by UTC', async () => {
    const midnight = new FakeClock(Date.UTC(2024, 0, 31, 23, 59, 59, 990))
    const sink = await open({}, midnight)
    await sink.write(line('on the last of January'))
    midnight.advance(20)
    await until(async () => (await aside()).length === 1)
    await sink.write(line('on the first of February'))
    expect(await text()).to.equal('on the first of February\n')
    const [name = ''] = await aside()
    expect(await readFile(join(dir, name), 'utf8')).to.equal('on the last of January\n')
  })

  it('of yesterday is put aside at the start', async () => {
    await writeFile(file, 'yesterday\n')
    const yesterday = new Date(Date.UTC(2024, 0, 30, 12))
    await utimes(file, yesterday, yesterday)
    await (await open()).write(line('today'))
    expect(await text()).to.equal('today\n')
    expect(await aside()).to.have.length(1)
  })

  it('may stay as long as it likes', async () => {
    await writeFile(file, 'yesterday\n')
    const yesterday = new Date(Date.UTC(2024, 0, 30, 12))
    await utimes(file, yesterday, yesterday)
    await (await open({ every: 'never' })).write(line('today'))
    expect(await text()).to.equal('yesterday\ntoday\n')
  })

  it('is made again when it is gone, with what was being written', async () => {
    const sink = await open()
    await sink.write(line('one'))
    await rm(file)
    await sink.write(line('two'))
    expect(await text()).to.equal('two\n')
  })

  it('is made again with its folder', async () => {
    file = join(dir, 'gone', 'audit.ndjson')
    const sink = await open()
    await sink.write(line('one'))
    await rm(join(dir, 'gone'), { recursive: true })
    await sink.write(line('two'))
    expect(await text()).to.equal('two\n')
  })

  it('may be rotated by another program', async () => {
    const sink = await open()
    await sink.write(line('one'))
    await rename(file, join(dir, 'audit.1'))
    await sink.write(line('two'))
    expect(await text()).to.equal('two\n')
    expect(await readFile(join(dir, 'audit.1'), 'utf8')).to.equal('one\n')
  })

  it('may be shared', async () => {
    const [one, two] = [await open({ every: 'never' }), await open({ every: 'never' })]
    for (let i = 0; i < 20; i += 1) await Promise.all([one.write(line(`one ${i}`)), two.write(line(`two ${i}`))])
    expect((await text()).split('\n').filter((it) => it !== '')).to.have.length(40)
  })

  for (const way of ['under a lock', 'where the folder of the lock is full'])
    it(`may be shared by several that put it aside and compress it, ${way}: nothing is lost`, async () => {
      locksFail = way !== 'under a lock'
      const names = ['a', 'b', 'c']
      const all = await Promise.all(names.map(() => open({ maxSize: '1kB', compress: true, keep: 10_000 })))
      const writeAll = async (sink: FileSink, name?: string): Promise<void> => {
        for (let i = 0; i < 30; i += 1) await sink.write(line(`${name} ${i} ${'.'.repeat(200)}`))
      }
      await Promise.all(all.map((sink, index) => writeAll(sink, names[index])))
      for (const sink of all) await sink.close()
      const kept = await aside()
      expect(kept.length).to.be.greaterThan(5)
      const contents = await Promise.all(
        kept.map(async (name) => {
          const bytes = await readFile(join(dir, name))
          return name.endsWith('.gz') ? gunzipSync(bytes).toString() : bytes.toString()
        })
      )
      const found = [...contents, await text()].join('').split('\n')
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
      const handle = await openFile(file, 'a')
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
      const sink = await open()
      await sink.write(line('one'))
      await around('write', 'before', () => rm(file))
      await sink.write(line('two'))
      expect(await text()).to.equal('two\n')
    })

    it('is written once when the file is put aside while it is written to', async () => {
      const sink = await open()
      await around('write', 'before', () => rename(file, join(dir, 'audit.1')))
      await sink.write(line('one'))
      await sink.write(line('two'))
      expect([await readFile(join(dir, 'audit.1'), 'utf8'), await text()]).to.deep.equal(['one\n', 'two\n'])
    })

    it('keeps what the other one writes to a file while that is compressed', async () => {
      await writeFile(file, 'one')
      // Within a batch of the other one: a size is that of some pages of it.
      await around('stat', 'behind', () => appendFile(file, ' and a half\ntwo\n'))
      await compress(file)
      expect(gunzipSync(await readFile(`${file}.gz`)).toString()).to.equal('one and a half\ntwo\n')
      expect(await readdir(dir)).to.deep.equal(['audit.ndjson.gz'])
    })

    it('begins a new line after one that the other one has torn', async () => {
      const sink = await open()
      await sink.write(line('one'))
      await appendFile(file, '{"half')
      await sink.write(line('two'))
      expect(await text()).to.equal('one\n{"half\ntwo\n')
    })

    it('does not put aside the file that the other one has just begun', async () => {
      const sink = await open({ maxSize: '1kB' })
      await sink.write(line('v'.repeat(2000)))
      beforeLock = async () => {
        await rename(file, join(dir, 'audit-by-another.ndjson'))
        await writeFile(file, 'begun\n')
      }
      await sink.write(line('next'))
      expect(await text()).to.equal('begun\nnext\n')
      expect(await aside()).to.deep.equal(['audit-by-another.ndjson'])
    })

    it('goes on in the same file while the other one puts it aside, and without a folder for locks', async () => {
      const sink = await open({ maxSize: '1kB' })
      await sink.write(line('v'.repeat(2000)))
      const before = await text()
      const name = await new Promise<string>((resolve) => {
        beforeLock = async (lockName) => {
          locks.add(lockName)
          resolve(lockName)
        }
        void sink.write(line('meanwhile'))
      })
      await sink.write(line('and then'))
      expect(await text()).to.equal(`${before}meanwhile\nand then\n`)
      locks.delete(name)
      beforeLock = () => Promise.reject(new Error('read only'))
      await sink.write(line('next'))
      expect(await text()).to.equal('next\n')
    })
  })

  it('begins a new line after one that was torn', async () => {
    await writeFile(file, '{"torn":')
    await (await open({ every: 'never' })).write(line('whole'))
    expect(await text()).to.equal('{"torn":\nwhole\n')
  })

  it('fails to open where it cannot be written', async () => {
    await mkdir(file)
    const error = await open().then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.be.an('error')
  })

  it('that stops being there as a file fails the write, and goes on when it can be one again', async () => {
    const sink = await open()
    await sink.write(line('one'))
    await rm(file)
    await mkdir(file)
    const error = await sink.write(line('two')).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.be.an('error')
    await rm(file, { recursive: true })
    await sink.write(line('two'))
    expect(await text()).to.equal('two\n')
  })

  it('that cannot be put aside fails the next write, and leaves no halves behind', async function () {
    if (process.platform === 'win32' || process.getuid?.() === 0) this.skip()
    const sink = await open({ maxSize: '1kB', compress: true })
    await sink.write(line('v'.repeat(2000)))
    await chmod(dir, 0o500)
    const error = await sink.write(line('next')).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    await chmod(dir, 0o700)
    expect(error).to.be.an('error')
    expect(await aside()).to.deep.equal([])
    await sink.write(line('next'))
    expect(await text()).to.equal('next\n')
  })

  it('that was put aside is in it once when another process is still writing to it', async () => {
    const [one, two] = [await open({ maxSize: '1kB' }), await open({ maxSize: '1kB' })]
    await one.write(line('v'.repeat(2000)))
    await one.write(line('next'))
    await two.write(line('of another'))
    expect(await text()).to.equal('next\nof another\n')
    expect(await aside()).to.have.length(1)
  })

  it('reports a partial write, as on a disk that fills up', async function () {
    if (process.platform === 'win32') this.skip()
    const sink = await open()
    await sink.write(line('one'))
    // A peer cuts the file: what should be there is not.
    await truncate(file, 0)
    const error = await sink.write(line('two')).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.have.property('code', 'ENOSPC')
    await sink.write(line('two'))
    expect((await text()).endsWith('two\n')).to.equal(true)
  })
})
