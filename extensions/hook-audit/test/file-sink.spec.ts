import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import {
  chmod,
  mkdir,
  mkdtemp,
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
import { until } from './fakes.js'

const line = (text: string): Buffer => Buffer.from(`${text}\n`)

describe('the file of the audit', () => {
  let dir = ''
  let file = ''
  const sinks: FileSink[] = []
  const clock = new FakeClock(Date.UTC(2024, 0, 31, 23, 59, 59, 990))

  const open = async (options: Parameters<typeof fileOptions>[0] | object = {}, at = clock): Promise<FileSink> => {
    const sink = new FileSink(file, fileOptions({ file, compress: false, ...options }), at)
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

  it('leaves no halves behind when it cannot be put aside', async function () {
    if (process.platform === 'win32' || process.getuid?.() === 0) this.skip()
    const sink = await open({ maxSize: '1kB', compress: true })
    await chmod(dir, 0o500)
    const error = await sink.write(line('v'.repeat(2000))).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    await chmod(dir, 0o700)
    expect(error).to.be.an('error')
    expect(await aside()).to.deep.equal([])
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
