import { expect } from 'chai'
import { loadConfig } from '@rystra/config'
import { isRystraError } from '@rystra/model'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assume } from '../src/init/ask.js'
import type { Format } from '../src/init/plan.js'
import { writeProject } from '../src/init/write.js'
import { addExtension, type AddOptions, type Added } from '../src/plugins/add.js'
import { useOf } from '../src/plugins/change.js'
import { inspectExtensions, listExtensions } from '../src/plugins/inspect.js'
import { npm, npmEnvironment } from '../src/plugins/npm.js'
import { removeExtension } from '../src/plugins/remove.js'
import { rystra, Running } from './command.js'
import { Folders, snapshot, write } from './folder.js'

const fixture = fileURLToPath(new URL('fixtures/hook-hours', import.meta.url))

const folders = new Folders()

const project = async (format: Format = 'yaml'): Promise<string> => {
  const dir = folders.make()
  const { plan, token } = assume({ format })
  await writeProject(dir, plan, { token, force: false })
  return dir
}

const add = (cwd: string, what: string, more: Partial<AddOptions> = {}): Promise<Added> =>
  addExtension({
    what,
    cwd,
    options: {},
    dryRun: false,
    allowScripts: false,
    onResolved: () => {},
    onStep: () => {},
    ...more
  })

const remove = (cwd: string, what: string) => removeExtension({ what, cwd, dryRun: false, onStep: () => {} })

const usesIn = async (dir: string): Promise<string[]> =>
  (await loadConfig({ cwd: dir, env: {} })).config.extensions.map((entry) => useOf(entry as never))

const manifest = (more: object = {}): string =>
  JSON.stringify({
    name: 'bad',
    version: '1.0.0',
    type: 'module',
    exports: './index.js',
    keywords: ['rystra-extension'],
    ...more
  })

const source = (body: string, options = ''): string => `import { defineExtension, Type } from '@rystra/plugin'
export default defineExtension({ name: 'bad', ${options} setup(context) { ${body} } })`

describe('plugins:add', function () {
  this.timeout(60_000)
  afterEach(() => folders.clean())

  for (const format of ['yaml', 'json', 'toml', 'ts'] as const) {
    it(`${format}: installs a folder, and writes it with its defaults; comments stay; remove takes it out again`, async () => {
      const dir = await project(format)
      await npm(['install'], { dir })
      const file = join(dir, `rystra.config.${format}`)
      const before = readFileSync(file, 'utf8')
      const packageBefore = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
      const added = await add(dir, fixture)
      expect(added).to.deep.include({ written: true, config: file })
      expect(added.extension).to.deep.include({ name: 'hours', taps: ['onOpenStream'] })
      expect(await usesIn(dir)).to.deep.equal(['@rystra/auth-token', 'rystra-hook-hours'])
      const after = readFileSync(file, 'utf8')
      for (const [comment] of before.matchAll(/(#|\/\/) .*/g)) expect(after).to.include(comment)
      expect(after).to.match(/from"?( =|:) 0/)
      expect(existsSync(join(dir, 'node_modules/rystra-hook-hours/index.js'))).to.equal(true)
      expect(existsSync(join(dir, '.rystra-backup'))).to.equal(false)

      const removed = await remove(dir, 'hours')
      expect(removed).to.include({ use: 'rystra-hook-hours', uninstalled: true })
      expect(readFileSync(file, 'utf8').trimEnd()).to.equal(before.trimEnd())
      expect(JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))).to.deep.equal(packageBefore)
      expect(existsSync(join(dir, 'node_modules/rystra-hook-hours'))).to.equal(false)
    })
  }

  it('finds a package of the checkout by its name, without asking the registry', async () => {
    const dir = await project()
    const found: string[] = []
    const registry = process.env['npm_config_registry']
    process.env['npm_config_registry'] = 'http://127.0.0.1:1/'
    try {
      await add(dir, '@rystra/proxy-tcp', { onResolved: ({ name, from }) => found.push(`${name} ${from}`) })
    } finally {
      if (registry === undefined) delete process.env['npm_config_registry']
      else process.env['npm_config_registry'] = registry
    }
    expect(found).to.deep.equal(['@rystra/proxy-tcp checkout'])
    expect(JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).dependencies['@rystra/proxy-tcp']).to.match(
      /^file:.*proxy-tcp$/
    )
  })

  it('installs a tarball, with the options given', async () => {
    const dir = await project()
    const [{ filename }] = JSON.parse(await npm(['pack', fixture, '--json', '--pack-destination', dir], { dir }))
    await add(dir, `./${filename}`, { options: { from: 8 } })
    expect(readFileSync(join(dir, 'rystra.config.yaml'), 'utf8')).to.include(
      'options:\n      from: 8\n      # to: 24 #'
    )
    const { extensions, hooks } = await inspectExtensions({ cwd: dir }, 'hours')
    expect(extensions[0]).to.deep.include({ use: 'rystra-hook-hours', version: '1.2.0', from: 'config' })
    expect(extensions[0]?.options).to.deep.equal({ from: 8, to: 24 })
    expect(hooks.map(({ side, hook }) => `${side} ${hook}`)).to.deep.equal([
      'server onOpenStream',
      'client onOpenStream'
    ])
  })

  it('runs install scripts only when they are allowed', async () => {
    for (const allowScripts of [false, true]) {
      const dir = await project()
      const [{ filename }] = JSON.parse(await npm(['pack', fixture, '--json', '--pack-destination', dir], { dir }))
      const told: string[] = []
      await add(dir, `./${filename}`, { allowScripts, onResolved: ({ scripts }) => told.push(...scripts) })
      expect(told).to.deep.equal(['postinstall'])
      expect(existsSync(join(dir, 'script-ran')), `allowed: ${allowScripts}`).to.equal(allowScripts)
    }
  })

  it('--dry-run does everything, and leaves everything as it was', async () => {
    const dir = await project()
    const before = snapshot(dir)
    const added = await add(dir, fixture, { dryRun: true })
    expect(added.extension.name).to.equal('hours')
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('what is in the configuration already is refused', async () => {
    const dir = await project()
    await add(dir, fixture)
    const before = snapshot(dir)
    const error = await add(dir, fixture).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(isRystraError(error) && error.code).to.equal('extension.duplicate')
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('a script whose list is not clear is left alone, and told what to write', async () => {
    const dir = await project('ts')
    const text = 'const extensions = []\nextensions.push()\nexport default { extensions, server: {} }\n'
    writeFileSync(join(dir, 'rystra.config.ts'), text)
    const added = await add(dir, fixture)
    expect(added.written).to.equal(false)
    expect(added.snippet).to.include("use: 'rystra-hook-hours'")
    expect(readFileSync(join(dir, 'rystra.config.ts'), 'utf8')).to.equal(text)
  })

  describe('leaves package.json, lock file, node_modules and configuration as they were, when', () => {
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
        { timeout: 4000 },
        /within 4000 ms/
      ],
      [
        'it blocks the process',
        'extension.load-failed',
        { 'package.json': manifest(), 'index.js': 'for (;;);' },
        { timeout: 4000 },
        /within 4000 ms/
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
        'it needs what nobody provides',
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
        const dir = await project()
        const bad = folders.make(files)
        const before = snapshot(dir)
        const error = await add(dir, bad, more).then(
          () => undefined,
          (thrown: unknown) => thrown
        )
        expect(isRystraError(error) && error.code, String(error)).to.equal(code)
        if (words !== undefined) expect((error as Error).message).to.match(words)
        expect(snapshot(dir)).to.deep.equal(before)
      })
    }

    it('npm fails', async () => {
      const dir = await project()
      await npm(['install'], { dir })
      const nope = join(folders.make({ 'nope.tgz': 'not a tarball' }), 'nope.tgz')
      const bad = folders.make({
        'package.json': manifest({ dependencies: { nope: `file:${nope}` } }),
        'index.js': source('')
      })
      const [{ filename }] = JSON.parse(await npm(['pack', bad, '--json', '--pack-destination', dir], { dir }))
      const before = snapshot(dir)
      const error = await add(dir, `./${filename}`).then(
        () => undefined,
        (thrown: unknown) => thrown
      )
      expect(isRystraError(error) && error.code, String(error)).to.equal('extension.add-failed')
      expect((error as Error).message).to.match(/npm install failed/)
      expect(snapshot(dir)).to.deep.equal(before)
    })

    it('the place in the configuration is not clear', async () => {
      const dir = await project()
      await npm(['install'], { dir })
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
        'index.js': 'await new Promise((resolve) => setTimeout(resolve, 20000))'
      })
      for (const step of ['installing', 'loading']) {
        const dir = await project()
        const before = snapshot(dir)
        const running = new Running(['plugins:add', slow], { cwd: dir })
        let heard = ''
        await new Promise<void>((resolve) => {
          running.child.stderr?.on('data', (chunk) => {
            heard += String(chunk)
            if (heard.includes(step)) resolve()
          })
        })
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
      const dir = await project()
      writeFileSync(join(dir, 'rystra.config.yaml'), 'server: { prot: 1 }\n')
      const before = snapshot(dir)
      const invalid = await rystra(['plugins', 'add', fixture], { cwd: dir })
      expect(invalid.code).to.equal(2)
      expect(invalid.err).to.include('server.prot: unknown key')
      expect(snapshot(dir)).to.deep.equal(before)
    })
  })

  it('names that cannot be packages, paths that are not there, and bad --options are refused', async () => {
    const dir = await project()
    write(dir, { 'one.ts': '' })
    for (const [what, code] of [
      ['../../etc/../nope', 'extension.not-found'],
      ['./one.ts', 'extension.not-found'],
      ['--help-me', 'usage.invalid'],
      ['Nope!', 'usage.invalid'],
      ['git+ssh://x/y', 'usage.invalid'],
      ['x@; rm -rf', 'usage.invalid'],
      ['', 'usage.invalid']
    ] as const) {
      const error = await add(dir, what).then(
        () => undefined,
        (thrown: unknown) => thrown
      )
      expect(isRystraError(error) && error.code, what).to.equal(code)
    }
    const { code, err } = await rystra(['plugins:add', fixture, '--options', '{from: 8'], { cwd: dir })
    expect(code).to.equal(2)
    expect(err).to.include('--options: expected JSON')
  })

  it('npm gets the settings of where packages come from, and nothing else of an outer npm', () => {
    const env = npmEnvironment({
      PATH: '/bin',
      npm_config_registry: 'r',
      NPM_CONFIG_CACHE: 'c',
      'npm_config_//r/:_authToken': 't',
      'npm_config_@acme:registry': 'a',
      npm_config_global: 'true',
      npm_config_workspace: 'w',
      npm_config_dry_run: 'true',
      npm_config_prefix: '/p',
      npm_package_name: 'outer',
      npm_lifecycle_event: 'x',
      INIT_CWD: '/outer',
      NODE_OPTIONS: '--import x'
    })
    expect(Object.keys(env)).to.have.members([
      'PATH',
      'npm_config_registry',
      'NPM_CONFIG_CACHE',
      'npm_config_//r/:_authToken',
      'npm_config_@acme:registry'
    ])
  })
})

describe('plugins:remove', function () {
  this.timeout(60_000)
  afterEach(() => folders.clean())

  it('changes nothing when the rest needs it', async () => {
    const dir = await project()
    const provider = folders.make({
      'package.json': manifest({ name: 'provider' }),
      'index.js': source('', 'provides: ["store:x"],').replace("'bad'", "'provider'")
    })
    const needy = folders.make({
      'package.json': manifest({ name: 'needy' }),
      'index.js': source('', 'requires: ["store:x"],').replace("'bad'", "'needy'")
    })
    await add(dir, provider)
    await add(dir, needy)
    const before = snapshot(dir)
    const error = await remove(dir, 'provider').then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(isRystraError(error) && error.code, String(error)).to.equal('extension.requires')
    expect(snapshot(dir)).to.deep.equal(before)
    await remove(dir, 'needy')
    await remove(dir, 'provider')
    expect(await usesIn(dir)).to.deep.equal(['@rystra/auth-token'])
  })

  it('names what there is, and knows the preset', async () => {
    const dir = await project()
    const { code, err } = await rystra(['plugins:remove', '@rystra/mux-yamux'], { cwd: dir })
    expect(code).to.equal(3)
    expect(err).to.include('it lists @rystra/auth-token').and.include('belongs to the preset')
  })

  it('takes out an extension that is a file, and leaves the file', async () => {
    const dir = await project()
    write(dir, { 'hooks/mine.js': source('') })
    writeFileSync(
      join(dir, 'rystra.config.yaml'),
      readFileSync(join(dir, 'rystra.config.yaml'), 'utf8').replace('\nlog:', '  - ./hooks/mine.js # mine\n\nlog:')
    )
    const removed = await remove(dir, './hooks/mine.js')
    expect(removed.uninstalled).to.equal(false)
    expect(existsSync(join(dir, 'hooks/mine.js'))).to.equal(true)
    expect(await usesIn(dir)).to.deep.equal(['@rystra/auth-token'])
  })
})

describe('plugins:list and plugins:inspect', function () {
  this.timeout(30_000)
  afterEach(() => folders.clean())

  it('show the preset where there is no configuration', async () => {
    const { config, extensions } = await listExtensions({ cwd: folders.make() })
    expect(config).to.equal(undefined)
    expect(extensions.map(({ name, from }) => `${name} ${from}`)).to.deep.equal([
      'transport-tcp preset',
      'mux-yamux preset',
      'mux-direct preset',
      'auth-token preset',
      'proxy-tcp preset'
    ])
    for (const { use, name, version } of extensions) {
      expect(use).to.equal(`@rystra/${name}`)
      expect(version).to.match(/^\d+\.\d+\.\d+$/)
    }
  })

  it('show who taps what in which order, with secrets left out', async () => {
    const dir = await project()
    write(dir, {
      'a.ts': source('context.hooks.onAuth.tap({ stage: 100 }, () => undefined)').replace("'bad'", "'late'"),
      'b.ts': source('context.hooks.onAuth.tap({ stage: -100 }, () => undefined)').replace("'bad'", "'early'")
    })
    const file = join(dir, 'rystra.config.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('\nlog:', '  - ./a.ts\n  - ./b.ts\n\nlog:'))
    const { out, code } = await rystra(['plugins:inspect', '--json'], { cwd: dir })
    expect(code).to.equal(0)
    const { extensions, hooks } = JSON.parse(out)
    const auth = hooks.find(({ side, hook }: { side: string; hook: string }) => side === 'server' && hook === 'onAuth')
    expect(auth.taps.map(({ extension }: { extension: string }) => extension)).to.deep.equal([
      'early',
      'auth-token',
      'late'
    ])
    expect(extensions.find(({ name }: { name: string }) => name === 'auth-token').options.token).to.equal('[redacted]')
    expect(out).not.to.include(readFileSync(join(dir, '.env'), 'utf8').split('=')[1]?.trim())
    const text = await rystra(['plugins:inspect', 'nobody'], { cwd: dir })
    expect(text.code).to.equal(3)
    expect(text.err).to.include('loaded: transport-tcp, mux-yamux')
  })
})
