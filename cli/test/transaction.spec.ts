import { expect } from 'chai'
import { isRystraError } from '@rystra/model'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { backupFolder, Transaction } from '../src/plugins/transaction.js'
import { Folders, snapshot, write } from './folder.js'

const project = {
  'package.json': '{"name":"x"}',
  'package-lock.json': '{}',
  'rystra.config.yaml': 'extensions: []\n',
  'node_modules/.package-lock.json': '{"packages":{}}',
  'node_modules/a/index.js': 'a',
  'node_modules/@s/b/deep/c.js': 'c'
}

/** What a failed npm could leave behind. */
const damage = (dir: string): void => {
  writeFileSync(join(dir, 'package.json'), 'broken')
  unlinkSync(join(dir, 'package-lock.json'))
  appendFileSync(join(dir, 'rystra.config.yaml'), 'garbage')
  // npm writes into this one, and replaces packages as a whole.
  appendFileSync(join(dir, 'node_modules/.package-lock.json'), 'more')
  rmSync(join(dir, 'node_modules/a'), { recursive: true })
  write(dir, { 'node_modules/a/other.js': 'x', 'node_modules/new/index.js': 'new' })
  rmSync(join(dir, 'node_modules/@s'), { recursive: true })
}

describe('a change of a project', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())
  const make = (): string => {
    const dir = folders.make(project)
    mkdirSync(join(dir, 'node_modules/.bin'))
    symlinkSync('../a/index.js', join(dir, 'node_modules/.bin/a'))
    return dir
  }
  const begin = (dir: string) => Transaction.begin(dir, [join(dir, 'rystra.config.yaml')])

  it('is undone as a whole: files, lock, packages, links, configuration', async () => {
    const dir = make()
    const before = snapshot(dir)
    const transaction = await begin(dir)
    damage(dir)
    await transaction.rollback()
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('removes what was not there before', async () => {
    const dir = folders.make({ 'rystra.config.yaml': 'x' })
    const before = snapshot(dir)
    const transaction = await begin(dir)
    write(dir, { 'package.json': '{}', 'package-lock.json': '{}', 'node_modules/a/index.js': 'a' })
    await transaction.rollback()
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('stays when it is done, and leaves no copy behind', async () => {
    const dir = make()
    const transaction = await begin(dir)
    damage(dir)
    const after = snapshot(dir)
    await transaction.commit()
    for (const key of Object.keys(after)) if (key.startsWith(backupFolder)) delete after[key]
    expect(snapshot(dir)).to.deep.equal(after)
    expect(await Transaction.recover(dir)).to.equal(false)
  })

  it('refuses a second one at the same time, and leaves the first alone', async () => {
    const dir = make()
    const holder = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    try {
      await begin(dir)
      const journal = join(dir, backupFolder, 'journal.json')
      writeFileSync(journal, readFileSync(journal, 'utf8').replace(String(process.pid), String(holder.pid)))
      const before = snapshot(dir)
      const error = await begin(dir).then(
        () => undefined,
        (thrown: unknown) => thrown
      )
      expect(isRystraError(error) && error.message).to.match(/another rystra command is changing/)
      expect(snapshot(dir)).to.deep.equal(before)
    } finally {
      holder.kill('SIGKILL')
      await once(holder, 'exit')
    }
  })

  it('is undone by the next one when the process was killed in the middle', async () => {
    const dir = make()
    const before = snapshot(dir)
    const dead = spawn(process.execPath, ['-e', ''])
    await once(dead, 'exit')
    await begin(dir)
    const journal = join(dir, backupFolder, 'journal.json')
    writeFileSync(journal, readFileSync(journal, 'utf8').replace(String(process.pid), String(dead.pid)))
    damage(dir)
    expect(await Transaction.recover(dir)).to.equal(true)
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('refuses node_modules that is a link into somewhere else', async () => {
    const dir = folders.make({ 'package.json': '{}' })
    symlinkSync(folders.make(), join(dir, 'node_modules'))
    const before = snapshot(dir)
    const error = await begin(dir).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(isRystraError(error) && error.message).to.match(/node_modules is a link/)
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('can be undone again when undoing it was interrupted', async () => {
    const dir = make()
    const before = snapshot(dir)
    const transaction = await begin(dir)
    damage(dir)
    // As after the first step of a rollback: what npm left is gone, the copy is not back yet.
    rmSync(join(dir, 'node_modules'), { recursive: true })
    await transaction.rollback()
    expect(snapshot(dir)).to.deep.equal(before)
    await transaction.rollback()
    expect(snapshot(dir)).to.deep.equal(before)
  })
})
