import { expect } from 'chai'
import { isRystraError, type RystraError } from '@rystra/model'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddOptions } from '../src/plugins/add.js'
import { npm } from '../src/plugins/npm.js'
import { Running } from './command.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders, snapshot } from './folder.js'
import { add, fixture, manifest, project, source } from './plugins-project.js'

describe('plugins:add leaves package.json, lock file, node_modules and configuration as they were, when', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())

  const cases: [
    what: string,
    code: string,
    files: Record<string, string>,
    more?: Partial<AddOptions>,
    words?: RegExp
  ][] = [
    [
      'nothing in the package speaks of Rystra',
      'extension.not-an-extension',
      { 'package.json': manifest({ keywords: [] }), 'index.js': source('') }
    ],
    [
      'the default export is no extension',
      'extension.not-an-extension',
      { 'package.json': manifest(), 'index.js': 'export default {}' }
    ],
    [
      'it is made for another Node',
      'extension.incompatible',
      { 'package.json': manifest({ engines: { node: '>=99' } }) },
      {},
      /needs Node >=99/
    ],
    [
      'it is made for another kernel',
      'extension.incompatible',
      { 'package.json': manifest({ peerDependencies: { '@rystra/plugin': '^9.0.0' } }) },
      {},
      /made for Rystra \^9/
    ],
    [
      'it has another apiVersion',
      'extension.incompatible',
      {
        'package.json': manifest(),
        'index.js': `${source('').replace('export default', 'const made =')}\nconst other = Object.defineProperties(() => {}, { ...Object.getOwnPropertyDescriptors(made), apiVersion: { value: 7 } })\nexport default other`
      },
      {},
      /version 7 of the contracts/
    ],
    [
      'it throws while it is loaded',
      'extension.load-failed',
      { 'package.json': manifest(), 'index.js': 'throw new Error("boom 42")' },
      {},
      /boom 42/
    ],
    [
      'it imports what is not there',
      'extension.load-failed',
      { 'package.json': manifest(), 'index.js': 'import "not-there-at-all"' },
      {},
      /not-there-at-all/
    ],
    [
      'it ends the process',
      'extension.load-failed',
      { 'package.json': manifest(), 'index.js': 'console.error("bye"); process.exit(0)' },
      {},
      /ended the process \(exit code 0\): bye/
    ],
    [
      'it never comes to an end',
      'extension.load-failed',
      { 'package.json': manifest(), 'index.js': 'setInterval(() => {}, 1000); await new Promise(() => {})' },
      { timeout: 1500 },
      /within 1500 ms/
    ],
    [
      'it blocks the process',
      'extension.load-failed',
      { 'package.json': manifest(), 'index.js': 'for (;;);' },
      { timeout: 1500 },
      /within 1500 ms/
    ],
    [
      'its setup throws',
      'extension.setup-failed',
      { 'package.json': manifest(), 'index.js': source('throw new Error("no setup")') },
      {},
      /no setup/
    ],
    [
      'it gives an async function to a synchronous tap',
      'extension.async-tap',
      { 'package.json': manifest(), 'index.js': source('context.hooks.onData.tap(async () => {})') }
    ],
    [
      'it claims what another has',
      'registry.duplicate',
      {
        'package.json': manifest(),
        'index.js': source(
          'context.registries.proxies.add({ kind: "tcp", spec: Type.Object({}), publish() {}, reach() {} })'
        )
      }
    ],
    [
      'it needs what is not provided',
      'extension.requires',
      { 'package.json': manifest(), 'index.js': source('', 'requires: ["muxer:smux"],') },
      {},
      /muxer:smux/
    ],
    [
      'an option it must have is not given',
      'extension.options',
      { 'package.json': manifest(), 'index.js': source('', 'options: Type.Object({ url: Type.String() }),') },
      {},
      /url/
    ],
    [
      'an option is not one of its own',
      'extension.options',
      {
        'package.json': manifest(),
        'index.js': source('', 'options: Type.Object({ url: Type.Optional(Type.String()) }),')
      },
      { options: { ulr: 'x' } },
      /ulr/
    ]
  ]

  for (const [what, code, files, more, words] of cases) {
    it(what, async () => {
      const dir = await project(folders)
      const bad = folders.make(files)
      const before = snapshot(dir)
      const error = await add(dir, bad, more).then(
        () => undefined,
        (thrown: unknown) => thrown
      )
      expect(isRystraError(error) && error.code, String(error)).to.equal(code)
      if (words !== undefined) expect((error as Error).message).to.match(words)
      if (code === 'extension.options') expect((error as RystraError).hint).to.include('--options')
      expect(snapshot(dir)).to.deep.equal(before)
    })
  }

  it('npm fails', async () => {
    const dir = await project(folders)
    const nope = join(folders.make({ 'nope.tgz': 'not a tarball' }), 'nope.tgz')
    const bad = folders.make({
      'package.json': manifest({ dependencies: { nope: `file:${nope}` } }),
      'index.js': source('')
    })
    const [{ filename }] = JSON.parse(await npm(['pack', bad, '--json', '--pack-destination', dir], { dir }))
    const before = snapshot(dir)
    const error = await add(dir, `./${filename}`, { npm }).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(isRystraError(error) && error.code, String(error)).to.equal('extension.add-failed')
    expect((error as Error).message).to.match(/npm install failed/)
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('the place in the configuration is not clear', async () => {
    const dir = await project(folders)
    writeFileSync(join(dir, 'rystra.config.yaml'), '{ server: {} }\n')
    const before = snapshot(dir)
    const error = await add(dir, fixture).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(isRystraError(error) && error.message).to.match(/not clear where to write it/)
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('Ctrl-C comes while npm works, or while it is loaded', async () => {
    const slow = folders.make({
      'package.json': manifest(),
      // It never loads. The timer keeps the process that loads it up, and ends it should the interrupt not.
      'index.js': 'await new Promise((resolve) => setTimeout(resolve, 20000))'
    })
    for (const step of ['installing', 'loading']) {
      const dir = await project(folders)
      const before = snapshot(dir)
      const running = new Running(['plugins:add', slow], { cwd: dir })
      await running.errorLine(new RegExp(step))
      const { code, err } = await running.signal('SIGINT')
      expect(err).to.include('interrupted')
      expect(code).to.equal(3)
      expect(snapshot(dir), step).to.deep.equal(before)
    }
  })

  it('there is no configuration, or none that is valid', async () => {
    const empty = folders.make()
    const none = await rystra(['plugins:add', fixture, '--json'], { cwd: empty })
    expect(none.code).to.equal(2)
    expect(JSON.parse(none.out).error.code).to.equal('config.not-found')
    expect(snapshot(empty)).to.deep.equal({})
    const dir = await project(folders)
    writeFileSync(join(dir, 'rystra.config.yaml'), 'server: { prot: 1 }\n')
    const before = snapshot(dir)
    const invalid = await rystra(['plugins', 'add', fixture], { cwd: dir })
    expect(invalid.code).to.equal(2)
    expect(invalid.err).to.include('server.prot: unknown key')
    expect(snapshot(dir)).to.deep.equal(before)
  })
})
