import { expect } from 'chai'
import { isRystraError } from '@rystra/model'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspectExtensions } from '../src/plugins/inspect.js'
import { npm, npmEnvironment } from '../src/plugins/npm.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders, snapshot, write } from './folder.js'
import { add, fixture, isInstalled, project, remove, usesIn } from './plugins-project.js'

describe('plugins:add', () => {
  const folders = new Folders()
  const packed = new Folders()
  let tarball = ''
  before(async () => {
    const dir = packed.make()
    const [{ filename }] = JSON.parse(await npm(['pack', fixture, '--json', '--pack-destination', dir], { dir }))
    tarball = join(dir, filename)
  })
  afterEach(() => folders.clean())
  after(() => packed.clean())

  it('installs a folder, and writes it with its defaults; comments stay; remove takes it out again', async () => {
    const dir = await project(folders)
    await npm(['install'], { dir })
    const file = join(dir, 'rystra.config.yaml')
    const before = readFileSync(file, 'utf8')
    const packageBefore = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
    const added = await add(dir, fixture, { npm })
    expect(added).to.deep.include({ written: true, config: file })
    expect(added.extension).to.deep.include({ name: 'hours', taps: ['onOpenStream'] })
    expect(await usesIn(dir)).to.deep.equal(['@rystra/auth-token', 'rystra-hook-hours'])
    const after = readFileSync(file, 'utf8')
    for (const [comment] of before.matchAll(/# .*/g)) expect(after).to.include(comment)
    expect(after).to.match(/from: 0/)
    expect(existsSync(join(dir, 'node_modules/rystra-hook-hours/index.js'))).to.equal(true)
    expect(existsSync(join(dir, '.rystra-backup'))).to.equal(false)

    const removed = await remove(dir, 'hours', npm)
    expect(removed).to.include({ use: 'rystra-hook-hours', uninstalled: true })
    expect(readFileSync(file, 'utf8').trimEnd()).to.equal(before.trimEnd())
    expect(JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))).to.deep.equal(packageBefore)
    expect(isInstalled(dir, 'rystra-hook-hours')).to.equal(false)
  })

  it('finds a package of the checkout by its name, without asking the registry', async () => {
    const dir = await project(folders)
    const found: string[] = []
    const registry = process.env['npm_config_registry']
    process.env['npm_config_registry'] = 'http://127.0.0.1:1/'
    try {
      await add(dir, '@rystra/proxy-tcp', { npm, onResolved: ({ name, from }) => found.push(`${name} ${from}`) })
    } finally {
      if (registry === undefined) delete process.env['npm_config_registry']
      else process.env['npm_config_registry'] = registry
    }
    expect(found).to.deep.equal(['@rystra/proxy-tcp checkout'])
    expect(JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).dependencies['@rystra/proxy-tcp']).to.match(
      /^file:.*proxy-tcp$/
    )
  })

  it('installs a tarball with the options given, without its install scripts', async () => {
    const dir = await project(folders)
    const scripts: string[] = []
    await add(dir, tarball, { npm, options: { from: 8 }, onResolved: (found) => scripts.push(...found.scripts) })
    expect(scripts).to.deep.equal(['postinstall'])
    expect(existsSync(join(dir, 'script-ran'))).to.equal(false)
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

  it('runs install scripts when they are allowed', async () => {
    const dir = await project(folders)
    await add(dir, tarball, { npm, allowScripts: true })
    expect(existsSync(join(dir, 'script-ran'))).to.equal(true)
  })

  it('--dry-run does everything, and leaves everything as it was', async () => {
    const dir = await project(folders)
    const before = snapshot(dir)
    const added = await add(dir, fixture, { dryRun: true })
    expect(added.extension.name).to.equal('hours')
    expect(snapshot(dir)).to.deep.equal(before)
  })

  it('what is in the configuration already is refused', async () => {
    const dir = await project(folders)
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
    const dir = await project(folders, 'ts')
    const text = 'const extensions = []\nextensions.push()\nexport default { extensions, server: {} }\n'
    writeFileSync(join(dir, 'rystra.config.ts'), text)
    const added = await add(dir, fixture)
    expect(added.written).to.equal(false)
    expect(added.snippet).to.include("use: 'rystra-hook-hours'")
    expect(readFileSync(join(dir, 'rystra.config.ts'), 'utf8')).to.equal(text)
  })

  it('names that cannot be packages, paths that are not there, and bad --options are refused', async () => {
    const dir = await project(folders)
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
