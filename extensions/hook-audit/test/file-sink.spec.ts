import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile
} from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { AuditFile, line } from './audit-file.js'
import { until } from './fakes.js'

describe('the file of the audit', () => {
  let world: AuditFile
  beforeEach(async () => {
    world = new AuditFile()
    await world.begin()
  })
  afterEach(() => world.end())

  it('is made with its folders, for its owner alone, and is appended to', async () => {
    world.file = join(world.dir, 'deep', 'er', 'audit.ndjson')
    const sink = await world.open({ every: 'never' })
    await sink.write(line('one'))
    await sink.close()
    await (await world.open({ every: 'never' })).write(line('two'))
    expect(await world.text()).to.equal('one\ntwo\n')
    if (process.platform !== 'win32') expect((await stat(world.file)).mode & 0o777).to.equal(0o600)
  })

  it('is put aside when it is too large, and only so many are kept', async () => {
    const sink = await world.open({ maxSize: '1kB', keep: 2 })
    for (const letter of 'abcde') await sink.write(line(letter.repeat(1200)))
    await sink.write(line('last'))
    await sink.close()
    const kept = await world.aside()
    expect(kept).to.have.length(2)
    const contents = await Promise.all(kept.map((name) => readFile(join(world.dir, name), 'utf8')))
    expect(
      contents.map((content) => content[0]),
      'the newest, in the order of their names'
    ).to.deep.equal(['d', 'e'])
    expect(await world.text()).to.equal('last\n')
  })

  it('is compressed when it is put aside, and is for its owner alone there too', async () => {
    const sink = await world.open({ maxSize: '1kB', compress: true })
    await sink.write(line('z'.repeat(2000)))
    await sink.write(line('next'))
    await until(async () => (await world.aside()).every((name) => name.endsWith('.gz')))
    const [name = ''] = await world.aside()
    expect(name).to.match(/^audit-20240131T235959990\.ndjson\.gz$/)
    expect(gunzipSync(await readFile(join(world.dir, name))).toString()).to.equal(`${'z'.repeat(2000)}\n`)
    if (process.platform !== 'win32') expect((await stat(join(world.dir, name))).mode & 0o777).to.equal(0o600)
    expect(await world.text()).to.equal('next\n')
  })

  it('does not touch files of others when it tidies up', async () => {
    const others = [
      'audit-notes.ndjson',
      'audit-20240101T000000000.ndjson.bak',
      'other-20240101T000000000.ndjson',
      'audit-.ndjson'
    ]
    for (const name of others) await writeFile(join(world.dir, name), 'mine')
    const sink = await world.open({ maxSize: '1kB', keep: 1 })
    for (let i = 0; i < 3; i += 1) await sink.write(line('y'.repeat(1200)))
    await sink.close()
    expect(await readdir(world.dir)).to.include.members(others)
  })

  it('is put aside when a new day begins, by UTC', async () => {
    const midnight = new FakeClock(Date.UTC(2024, 0, 31, 23, 59, 59, 990))
    const sink = await world.open({}, midnight)
    await sink.write(line('on the last of January'))
    midnight.advance(20)
    await until(async () => (await world.aside()).length === 1)
    await sink.write(line('on the first of February'))
    expect(await world.text()).to.equal('on the first of February\n')
    const [name = ''] = await world.aside()
    expect(await readFile(join(world.dir, name), 'utf8')).to.equal('on the last of January\n')
  })

  it('of yesterday is put aside at the start', async () => {
    await writeFile(world.file, 'yesterday\n')
    const yesterday = new Date(Date.UTC(2024, 0, 30, 12))
    await utimes(world.file, yesterday, yesterday)
    await (await world.open()).write(line('today'))
    expect(await world.text()).to.equal('today\n')
    expect(await world.aside()).to.have.length(1)
  })

  it('may stay as long as it likes', async () => {
    await writeFile(world.file, 'yesterday\n')
    const yesterday = new Date(Date.UTC(2024, 0, 30, 12))
    await utimes(world.file, yesterday, yesterday)
    await (await world.open({ every: 'never' })).write(line('today'))
    expect(await world.text()).to.equal('yesterday\ntoday\n')
  })

  it('is made again when it is gone, with what was being written', async () => {
    const sink = await world.open()
    await sink.write(line('one'))
    await rm(world.file)
    await sink.write(line('two'))
    expect(await world.text()).to.equal('two\n')
  })

  it('is made again with its folder', async () => {
    world.file = join(world.dir, 'gone', 'audit.ndjson')
    const sink = await world.open()
    await sink.write(line('one'))
    await rm(join(world.dir, 'gone'), { recursive: true })
    await sink.write(line('two'))
    expect(await world.text()).to.equal('two\n')
  })

  it('may be rotated by another program', async () => {
    const sink = await world.open()
    await sink.write(line('one'))
    await rename(world.file, join(world.dir, 'audit.1'))
    await sink.write(line('two'))
    expect(await world.text()).to.equal('two\n')
    expect(await readFile(join(world.dir, 'audit.1'), 'utf8')).to.equal('one\n')
  })

  it('begins a new line after one that was torn', async () => {
    await writeFile(world.file, '{"torn":')
    await (await world.open({ every: 'never' })).write(line('whole'))
    expect(await world.text()).to.equal('{"torn":\nwhole\n')
  })

  it('fails to open where it cannot be written', async () => {
    await mkdir(world.file)
    const error = await world.open().then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.be.an('error')
  })

  it('that stops being there as a file fails the write, and goes on when it can be one again', async () => {
    const sink = await world.open()
    await sink.write(line('one'))
    await rm(world.file)
    await mkdir(world.file)
    const error = await sink.write(line('two')).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.be.an('error')
    await rm(world.file, { recursive: true })
    await sink.write(line('two'))
    expect(await world.text()).to.equal('two\n')
  })

  it('that cannot be put aside fails the next write, and leaves no halves behind', async function () {
    if (process.platform === 'win32' || process.getuid?.() === 0) this.skip()
    const sink = await world.open({ maxSize: '1kB', compress: true })
    await sink.write(line('v'.repeat(2000)))
    await chmod(world.dir, 0o500)
    const error = await sink.write(line('next')).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    await chmod(world.dir, 0o700)
    expect(error).to.be.an('error')
    expect(await world.aside()).to.deep.equal([])
    await sink.write(line('next'))
    expect(await world.text()).to.equal('next\n')
  })

  it('reports a partial write, as on a disk that fills up', async function () {
    if (process.platform === 'win32') this.skip()
    const sink = await world.open()
    await sink.write(line('one'))
    // A peer cuts the file: what should be there is not.
    await truncate(world.file, 0)
    const error = await sink.write(line('two')).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.have.property('code', 'ENOSPC')
    await sink.write(line('two'))
    expect((await world.text()).endsWith('two\n')).to.equal(true)
  })

  it('that fails to open leaves no descriptor behind', async function () {
    if (process.platform !== 'linux') this.skip()
    // Its name can be that of a file, and with the time it cannot.
    world.file = join(world.dir, `${'a'.repeat(240)}.ndjson`)
    await writeFile(world.file, 'yesterday\n')
    const yesterday = new Date(Date.UTC(2024, 0, 30, 12))
    await utimes(world.file, yesterday, yesterday)
    const error = await world.open().then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.have.property('code', 'ENAMETOOLONG')
    const held = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
    )
    expect(held.filter((name) => name.startsWith(world.file))).to.deep.equal([])
  })
})
