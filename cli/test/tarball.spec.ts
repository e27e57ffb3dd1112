import { expect } from 'chai'
import fc from 'fast-check'
import { isRystraError } from '@rystra/model'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { npm } from '../src/plugins/npm.js'
import { manifestOfTarball } from '../src/plugins/tarball.js'
import { Folders } from './folder.js'

const fixture = fileURLToPath(new URL('fixtures/hook-hours', import.meta.url))

const header = (name: string, size: number, type = '0'): Buffer => {
  const block = Buffer.alloc(512)
  block.write(name, 0)
  block.write(size.toString(8).padStart(11, '0'), 124)
  block.write(type, 156)
  return block
}

const entry = (name: string, text: string, type?: string): Buffer =>
  Buffer.concat([header(name, text.length, type), Buffer.from(text), Buffer.alloc((512 - (text.length % 512)) % 512)])

describe('a tarball', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())

  const put = (bytes: Buffer): string => {
    const path = join(folders.make(), 'x.tgz')
    writeFileSync(path, bytes)
    return path
  }

  const refused = async (path: string, words: RegExp): Promise<void> => {
    const error = await manifestOfTarball(path).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(isRystraError(error) && error.code).to.equal('extension.not-found')
    expect((error as Error).message).to.match(words)
  }

  it('that npm packed tells its package.json', async () => {
    const dir = folders.make()
    const [{ filename }] = JSON.parse(await npm(['pack', fixture, '--json', '--pack-destination', dir], { dir }))
    expect(await manifestOfTarball(join(dir, filename))).to.include({ name: 'rystra-hook-hours', version: '1.2.0' })
  })

  it('is read past headers of other kinds and other files, and whatever its folder is called', async () => {
    const tar = Buffer.concat([
      entry('pax', '30 mtime=1\n', 'x'),
      entry('other/deep/package.json', '{"name":"no"}'),
      entry('other/index.js', 'x'.repeat(2000)),
      entry('other/package.json', '{"name":"yes"}')
    ])
    expect(await manifestOfTarball(put(gzipSync(tar)))).to.deep.equal({ name: 'yes' })
  })

  it('without a package.json, cut off, or no tarball at all is a clear error', async () => {
    await refused(put(gzipSync(entry('package/index.js', 'x'))), /there is no package.json/)
    await refused(put(gzipSync(header('package/package.json', 400))), /there is no package.json/)
    await refused(put(Buffer.from('not gzip')), /cannot be read as a package tarball/)
    await refused(put(gzipSync(entry('package/package.json', '{ broken'))), /cannot be read as a package tarball/)
    await refused(put(gzipSync(header('package/package.json', 2 ** 30))), /too large/)
    await refused(join(folders.make(), 'absent.tgz'), /cannot be read/)
  })

  it('of any bytes gives an answer or a clear error', async () => {
    const path = put(Buffer.alloc(0))
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), fc.boolean(), async (bytes, wrapped) => {
        writeFileSync(
          path,
          wrapped ? gzipSync(Buffer.concat([Buffer.from(bytes), header('a/package.json', 4)])) : bytes
        )
        await manifestOfTarball(path).catch((error: unknown) => expect(isRystraError(error)).to.equal(true))
      }),
      { numRuns: 100 }
    )
  })
})
