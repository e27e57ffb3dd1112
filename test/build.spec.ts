import { expect } from 'chai'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundle, isBundled } from '../scripts/build/bundle.js'
import type { Package } from '../scripts/build/packages.js'
import { removeStale } from '../scripts/build/stale.js'
import { root } from './workspaces.js'

describe('the build of a package', () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'rystra-build-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  symlinkSync(path.join(root, 'node_modules'), path.join(dir, 'node_modules'))
  const one: Package = { name: 'one', dir, entries: { index: './src/index.ts' }, external: ['chai'] }
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true })
    writeFileSync(path.join(dir, file), text)
  }
  const built = (file: string): string => readFileSync(path.join(dir, 'dist', file), 'utf8')
  beforeEach(async () => {
    write('package.json', '{}')
    write('src/index.ts', "export { expect } from 'chai'\nexport { six } from './deep/six.js'\n")
    write('src/deep/six.ts', "import valid from 'semver/functions/valid.js'\nexport const six = valid('v6.0.0')\n")
    await bundle(one)
  })
  afterEach(() => rmSync(path.join(dir, 'src'), { recursive: true, force: true }))

  it('is one file, with the libraries that are no dependencies of it and their licenses', async () => {
    const { six } = await import(pathToFileURL(path.join(dir, 'dist/index.js')).href)
    expect(six).to.equal('6.0.0')
    expect(built('index.js')).to.match(/from "chai"/)
    expect(built('licenses.txt'))
      .to.match(/^semver \d/)
      .and.includes('ISC')
  })

  it('is stale when a source has changed, appeared or gone, or a file of it is missing', () => {
    expect(isBundled(one)).to.equal(true)
    const source = readFileSync(path.join(dir, 'src/deep/six.ts'), 'utf8')
    write('src/deep/six.ts', source.replace('v6', 'v5'))
    expect(isBundled(one), 'changed').to.equal(false)
    write('src/deep/six.ts', source)
    expect(isBundled(one), 'changed back').to.equal(true)
    write('src/more.ts', '')
    expect(isBundled(one), 'appeared').to.equal(false)
    rmSync(path.join(dir, 'src/more.ts'))
    rmSync(path.join(dir, 'dist/index.js.map'))
    expect(isBundled(one), 'missing').to.equal(false)
  })

  it('leaves nothing of an earlier one', () => {
    for (const file of ['index.d.ts', 'deep/six.d.ts.map', '.tsbuildinfo', 'old.js', 'gone/old.d.ts'])
      write(`dist/${file}`, '')
    removeStale(one)
    for (const file of ['index.js', 'index.js.map', 'licenses.txt', 'index.d.ts', 'deep/six.d.ts.map', '.tsbuildinfo'])
      expect(existsSync(path.join(dir, 'dist', file)), file).to.equal(true)
    for (const file of ['old.js', 'gone']) expect(existsSync(path.join(dir, 'dist', file)), file).to.equal(false)
  })
})
