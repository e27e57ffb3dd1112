import { expect } from 'chai'
import { isRystraError } from '@rystra/model'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { create } from 'tar'
import { manifestOfTarball } from '../src/plugins/tarball.js'
import { Folders } from './folder.js'

const fixture = fileURLToPath(new URL('fixtures/hook-hours', import.meta.url))

describe('a tarball', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())

  const pack = async (files: Readonly<Record<string, string>>): Promise<string> => {
    const dir = folders.make(files)
    const file = join(folders.make(), 'x.tgz')
    await create({ gzip: true, file, cwd: dir }, Object.keys(files))
    return file
  }

  const refused = async (path: string, words: RegExp): Promise<void> => {
    const error = await manifestOfTarball(path).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(isRystraError(error) && error.code).to.equal('extension.not-found')
    expect((error as Error).message).to.match(words)
  }

  it('tells the package.json of its top folder, whatever that is called', async () => {
    const file = join(folders.make(), 'x.tgz')
    await create({ gzip: true, file, cwd: join(fixture, '..') }, ['hook-hours'])
    expect(await manifestOfTarball(file)).to.include({ name: 'rystra-hook-hours', version: '1.2.0' })
    const deep = await pack({ 'other/deep/package.json': '{"name":"no"}', 'other/package.json': '{"name":"yes"}' })
    expect(await manifestOfTarball(deep)).to.deep.equal({ name: 'yes' })
    const marked = await pack({ 'package/package.json': '\uFEFF{"name":"marked"}' })
    expect(await manifestOfTarball(marked), 'with a byte order mark').to.deep.equal({ name: 'marked' })
  })

  it('without a package.json, with a broken or huge one, or no tarball at all is a clear error', async () => {
    await refused(await pack({ 'package/index.js': 'x' }), /there is no package.json/)
    await refused(await pack({ 'package/package.json': '{ broken' }), /cannot be read as a package tarball/)
    await refused(await pack({ 'package/package.json': ' '.repeat(2 ** 20 + 1) }), /too large/)
    await refused(join(folders.make({ 'x.tgz': 'not gzip' }), 'x.tgz'), /cannot be read|there is no package.json/)
    await refused(join(folders.make(), 'absent.tgz'), /cannot be read/)
  })
})
