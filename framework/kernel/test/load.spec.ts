import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { defineExtension, type Extension, isExtension, Type } from '@rystra/plugin'
import { expect } from 'chai'
import { Kernel, loadExtensions, loadWithPreset } from '../src/index.js'
import { loadExtension, loadPackage } from '../src/load/load.js'
import { failure, hello, project } from './fixtures.js'

const typescript = (name: string, extra = '') => `
import { defineExtension, GUARD, Type } from '@rystra/plugin'
${extra}
enum Answer { No = 'no' }
export default defineExtension({
  name: '${name}',
  options: Type.Object({ why: Type.String({ default: Answer.No }) }),
  setup({ hooks, options }) {
    hooks.onHello.tap({ stage: GUARD }, () => ({ deny: options.why as string }))
  }
})`

const javascript = (name: string) => `
import { defineExtension } from '@rystra/plugin'
export default defineExtension({ name: '${name}', setup({ hooks }) { hooks.onHello.tap(() => ({ deny: '${name}' })) } })`

/** An extension as another copy of the contracts makes it: nothing but its brand says what it is. */
const bare = (name: string, apiVersion = 1, assign = 'export default') => `
const extension = (options) => ({ extension, options: options ?? {} })
Object.defineProperties(extension, {
  definition: { value: { name: '${name}', setup() {} } },
  apiVersion: { value: ${apiVersion} },
  [Symbol.for('rystra.extension')]: { value: true }
})
${assign} extension`

const manifest = (fields: object) =>
  JSON.stringify({ name: 'x', version: '1.0.0', type: 'module', exports: './index.js', ...fields })

const here = process.versions.node

describe('loading an extension', () => {
  const folders: (() => void)[] = []
  const make = (files: Record<string, string>): string => {
    const { dir, remove } = project(files)
    folders.push(remove)
    return dir
  }
  after(() => {
    for (const remove of folders) remove()
  })

  describe('by path', () => {
    it('runs TypeScript without a build, in a project that is no ES module and has not installed the contracts', async () => {
      const dir = make({
        'package.json': '{ "name": "my-tunnel" }',
        'hooks/office.ts': typescript('office', "import { twice } from './twice.js'\nconst n: number = twice(2)"),
        'hooks/twice.ts': 'export const twice = (n: number): number => n * 2'
      })
      const kernel = new Kernel({ side: 'server' })
      await kernel.provision(await loadExtensions(['./hooks/office.ts'], { dir }))
      expect(await kernel.current.calls.hello(hello)).deep.equal({ deny: 'no' })
    })

    it('takes .mts, and absolute paths, and file URLs', async () => {
      const dir = make({ 'a.mts': typescript('a') })
      for (const ref of [`${dir}/a.mts`, pathToFileURL(`${dir}/a.mts`).href, './a.mts']) {
        expect((await loadExtension(ref, { dir })).definition.name).equal('a')
      }
    })

    it('takes .js, .mjs and .cjs, whether the contracts are installed or not', async () => {
      const dir = make({
        'package.json': '{ "type": "module" }',
        'a.js': javascript('a'),
        'b.mjs': javascript('b'),
        'c.cjs': bare('c', 1, 'module.exports ='),
        'd.cjs': bare('d', 1, 'exports.default =')
      })
      for (const file of ['a.js', 'b.mjs', 'c.cjs', 'd.cjs']) {
        expect((await loadExtension(`./${file}`, { dir })).definition.name).equal(file[0])
      }
    })

    it('loads a file once, so that a reload keeps its instance', async () => {
      const dir = make({ 'a.ts': typescript('a') })
      expect(await loadExtension('./a.ts', { dir })).equal(await loadExtension('./a.ts', { dir }))
    })

    it('leaves nothing in the project', async () => {
      const dir = make({ 'package.json': '{}', 'node_modules/.keep': '', 'a.ts': typescript('a') })
      await loadExtension('./a.ts', { dir })
      expect(readdirSync(`${dir}/node_modules`)).deep.equal(['.keep'])
    })

    it('takes the folder of a package', async () => {
      const dir = make({ 'ext/package.json': manifest({ name: '@example/ext' }), 'ext/index.js': bare('ext') })
      const loaded = await loadPackage('./ext', { dir })
      expect(loaded.package).deep.equal({ name: '@example/ext', version: '1.0.0' })
      expect(loaded.file).equal(`${dir}/ext/index.js`)
    })

    it('says what is missing, and where it looked', async () => {
      const dir = make({
        'hooks/a.ts': '',
        'empty/readme': '',
        'unbuilt/package.json': manifest({ exports: './dist/index.js' })
      })
      const absent = await failure(loadExtension('./b.ts', { dir }), 'extension.not-found')
      expect(absent.detail).equal('there is no ./b.ts')
      expect(absent.hint).include(`${dir}/b.ts`)
      const near = await failure(loadExtension('./hooks/a', { dir }), 'extension.not-found')
      expect(near.detail).equal('there is no ./hooks/a, but a ./hooks/a.ts')
      await failure(loadExtension('./empty', { dir }), 'extension.not-an-extension')
      const unbuilt = await failure(loadExtension('./unbuilt', { dir }), 'extension.not-found')
      expect(unbuilt.detail).equal('./unbuilt is installed, but its entry ./dist/index.js is missing')
    })
  })

  describe('by package name', () => {
    it('finds it from the folder upwards, as import would', async () => {
      const dir = make({
        'node_modules/@example/hook/package.json': manifest({
          name: '@example/hook',
          version: '2.1.0',
          exports: {
            '.': { types: './index.d.ts', require: './index.cjs', import: './esm/index.js' },
            './extra': './extra.js'
          }
        }),
        'node_modules/@example/hook/esm/index.js': bare('hook'),
        'node_modules/@example/hook/extra.js': bare('extra'),
        'node_modules/plain/package.json': '{ "name": "plain", "version": "1.0.0", "main": "lib/main" }',
        'node_modules/plain/lib/main.js': bare('plain', 1, 'module.exports ='),
        'deep/er/package.json': '{}'
      })
      const from = { dir: `${dir}/deep/er` }
      const loaded = await loadPackage('@example/hook', from)
      expect(loaded.extension.definition.name).equal('hook')
      expect(loaded.package).deep.equal({ name: '@example/hook', version: '2.1.0' })
      expect((await loadExtension('@example/hook/extra', from)).definition.name).equal('extra')
      expect((await loadExtension('plain', from)).definition.name).equal('plain')
      const hidden = await failure(loadExtension('@example/hook/esm/index.js', from), 'extension.not-found')
      expect(hidden.detail).include('do not offer ./esm/index.js')
    })

    it('asks the callback first, for a folder or a file', async () => {
      const dir = make({
        'checkout/tls/package.json': manifest({}),
        'checkout/tls/index.js': bare('tls'),
        'x.ts': typescript('x')
      })
      const called: string[] = []
      const resolve = (name: string): string | undefined => {
        called.push(name)
        return { '@rystra/transport-tls': `${dir}/checkout/tls`, x: `${dir}/x.ts` }[name]
      }
      expect((await loadExtension('@rystra/transport-tls', { dir, resolve })).definition.name).equal('tls')
      expect((await loadExtension('x', { dir, resolve })).definition.name).equal('x')
      await failure(loadExtension('y', { dir, resolve }), 'extension.not-found')
      expect(called).deep.equal(['@rystra/transport-tls', 'x', 'y'])
    })

    it('tells a package that is not installed from one whose own import fails', async () => {
      const dir = make({
        'node_modules/needy/package.json': manifest({}),
        'node_modules/needy/index.js': "import 'left-pad-of-yore'\nexport default 1",
        'node_modules/needy-ts/package.json': manifest({ exports: './index.ts' }),
        'node_modules/needy-ts/index.ts': "import 'left-pad-of-yore'\nexport default 1 as number"
      })
      const absent = await failure(loadExtension('@rystra/transport-warp', { dir }), 'extension.not-found')
      expect(absent.detail).equal('@rystra/transport-warp is not installed')
      expect(absent.hint).include(`looked from ${dir}`)
      for (const ref of ['needy', 'needy-ts']) {
        const needy = await failure(loadExtension(ref, { dir }), 'extension.load-failed')
        expect(needy.detail).equal(`${ref} is there, but its import of "left-pad-of-yore" cannot be found`)
        expect(needy.hint).include('npm install left-pad-of-yore')
        expect(needy.cause).instanceOf(Error)
      }
    })

    it('refuses what is neither a name nor a path', async () => {
      for (const ref of ['', ' ', 'a b', '@x', 'C:evil', 'a//b', '..x/../../y', 'a\\b']) {
        await failure(loadExtension(ref, { dir: make({}) }), 'extension.not-found')
      }
    })
  })

  describe('checks', () => {
    const load = (files: Record<string, string>) => loadExtension('x', { dir: make(files) })
    const inX = (fields: object, source: string) =>
      load({ 'node_modules/x/package.json': manifest(fields), 'node_modules/x/index.js': source })

    it('that it is an extension', async () => {
      const sources = ['', 'export default {}', 'export default () => {}', 'export default null', 'export const a = 1']
      for (const source of sources) await failure(inX({}, source), 'extension.not-an-extension')
      const named = await failure(inX({}, bare('x', 1, 'export const hook =')), 'extension.not-an-extension')
      expect(named.hint).equal('it exports one as hook: make that the default export')
    })

    it('that it was made for these contracts', async () => {
      const newer = await failure(inX({}, bare('x', 2)), 'extension.incompatible')
      expect(newer.detail).equal('x is made for version 2 of the contracts; this kernel has 1')
      expect(newer.hint).equal('update Rystra')
      const older = await failure(inX({}, bare('x', 0)), 'extension.incompatible')
      expect(older.hint).include('newer version of x')
    })

    it('that it runs on this Node, before any of its code runs', async () => {
      const error = await failure(
        inX({ engines: { node: '>=99' } }, 'throw new Error("ran")'),
        'extension.incompatible'
      )
      expect(error.detail).equal(`x needs Node >=99; this is ${here}`)
      expect(isExtension(await inX({ engines: { node: '>=20' } }, bare('x')))).equal(true)
      expect(isExtension(await inX({ engines: { node: 'whatever' } }, bare('x')))).equal(true)
    })

    it('that it takes this version of the contracts as its peer', async () => {
      const error = await failure(
        inX({ peerDependencies: { '@rystra/plugin': '^99.0.0' } }, bare('x')),
        'extension.incompatible'
      )
      expect(error.detail).match(/^x needs @rystra\/plugin \^99\.0\.0; this is /)
      expect(isExtension(await inX({ peerDependencies: { '@rystra/plugin': '*' } }, bare('x')))).equal(true)
    })

    it('that it loads', async () => {
      const thrown = await failure(inX({}, 'throw new Error("no disk")'), 'extension.load-failed')
      expect(thrown.detail).equal('x: no disk')
      expect((thrown.cause as Error).message).equal('no disk')
      await failure(inX({}, 'export default {'), 'extension.load-failed')
      await failure(inX({}, 'throw undefined'), 'extension.load-failed')
      await failure(loadExtension('./x.ts', { dir: make({ 'x.ts': 'const a: = 1' }) }), 'extension.load-failed')
      await failure(load({ 'node_modules/x/package.json': '{' }), 'extension.load-failed')
      await failure(load({ 'node_modules/x/package.json': 'null' }), 'extension.load-failed')
    })
  })

  describe('of a configuration', () => {
    const made = defineExtension({
      name: 'made',
      options: Type.Object({ n: Type.Integer({ default: 1 }) }),
      setup() {}
    })

    it('takes names, extensions, extensions with options, and entries', async () => {
      const dir = make({ 'node_modules/x/package.json': manifest({}), 'node_modules/x/index.js': bare('x') })
      const uses = await loadExtensions(
        ['x', made, made({ n: 2 }), { use: 'x', name: 'y', options: { a: 1 } }, { use: made, options: { n: 3 } }],
        { dir }
      )
      expect(
        uses.map(({ extension, name, options, package: from }) => [
          extension.definition.name,
          name,
          options,
          from?.name
        ])
      ).deep.equal([
        ['x', undefined, {}, 'x'],
        ['made', undefined, {}, undefined],
        ['made', undefined, { n: 2 }, undefined],
        ['x', 'y', { a: 1 }, 'x'],
        ['made', undefined, { n: 3 }, undefined]
      ])
    })

    it('comes after the preset, of which a namesake is left out', async () => {
      const dir = make({})
      const listed = defineExtension({ name: 'made', setup() {} })
      const second = defineExtension({ name: 'second', setup() {} })
      const uses = await loadWithPreset([listed], { dir }, [made, second] as Extension[])
      expect(uses.map(({ extension }) => extension)).deep.equal([second, listed])
      expect(await loadWithPreset([], { dir })).deep.equal([])
    })

    it('refuses what is no extension', async () => {
      for (const entry of [{ use: () => {} }, { use: {} }, {}, 7, null]) {
        await failure(loadExtensions([entry as never], { dir: '/' }), 'extension.not-an-extension')
      }
    })
  })

  it('works in plain Node, as it is published', function () {
    const dir = make({ 'package.json': '{}', 'a.ts': typescript('a'), 'b.mjs': javascript('b') })
    const source = `
      const { Kernel, loadExtensions } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)})
      const kernel = new Kernel({ side: 'server' })
      await kernel.provision(await loadExtensions(['./a.ts', './b.mjs'], { dir: ${JSON.stringify(dir)} }))
      console.log(kernel.inspect().extensions.map(({ name }) => name).join())`
    const dist = fileURLToPath(new URL('../dist/index.js', import.meta.url))
    const env = { ...process.env, NODE_OPTIONS: '' }
    if (!existsSync(dist)) this.skip()
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
      env,
      encoding: 'utf8'
    })
    expect(stdout.trim(), stderr).equal('a,b')
  })
})
