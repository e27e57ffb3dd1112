import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cleanEnv, type Event } from '../command.js'
import { Folders } from '../folder.js'
import { typoConfig, walkTest } from './author-walk.js'
import { build, checkout, must, published } from './built.js'
import { compiler } from './compiler.js'

/** What npm says of a package that it packed. */
interface Packed {
  readonly name: string
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

/** Libraries, or their scopes, that are in the code of packages: they are not installed with them. */
const inlinedLibraries = (): Set<string> => {
  const manifests = published().map((dir) => JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')))
  const installed = new Set(manifests.flatMap(({ dependencies = {} }) => Object.keys(dependencies)))
  const others = manifests.flatMap(({ devDependencies = {} }) => Object.keys(devDependencies))
  return new Set(
    others
      .filter((name) => !installed.has(name) && !/^@(types|rystra)\//.test(name))
      .map((name) => name.split('/')[0] as string)
  )
}

/** As published: what is in the tarballs has to be all that is needed, and is told apart from the checkout. */
describe('packed into tarballs and installed in an empty folder', function () {
  this.timeout(300_000)
  const folders = new Folders()
  let to = ''
  /** Where they are installed. */
  let dir = ''
  const tarballOf = ({ filename }: Packed): string => join(to, filename)
  let packages: readonly Packed[] = []
  before(async () => {
    await build()
    to = folders.make()
    const out = await must(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', to, ...published()],
      checkout
    )
    packages = JSON.parse(out) as Packed[]
    dir = folders.make()
    await install()
  })
  after(() => folders.clean())

  /**
   * What `npm install` of the tarballs makes, with third parties linked from the checkout, so that no registry is
   * needed. RYSTRA_TEST_REGISTRY=1 has npm do it.
   */
  const install = async (): Promise<void> => {
    writeFileSync(join(dir, 'package.json'), '{ "private": true }')
    if (process.env['RYSTRA_TEST_REGISTRY'] === '1') {
      await must('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...packages.map(tarballOf)], dir)
      return
    }
    const modules = join(dir, 'node_modules')
    for (const packed of packages) {
      const target = join(modules, packed.name)
      mkdirSync(target, { recursive: true })
      await must('tar', ['-xzf', tarballOf(packed), '-C', target, '--strip-components=1'], dir)
    }
    const own = new Set(packages.map(({ name }) => name))
    const inlined = inlinedLibraries()
    for (const name of readdirSync(join(checkout, 'node_modules'))) {
      if (name.startsWith('.') || own.has(name) || name === '@rystra' || inlined.has(name)) continue
      symlinkSync(join(checkout, 'node_modules', name), join(modules, name))
    }
    mkdirSync(join(modules, '.bin'))
    symlinkSync('../rystra/bin/run.js', join(modules, '.bin/rystra'))
  }

  it('init, check, a hook, serve and expose work there, and sources are not needed', async () => {
    const bin = join(dir, 'node_modules/.bin/rystra')
    const rystra = (...args: string[]): Promise<string> => must(process.execPath, [bin, ...args], dir)

    expect(await rystra('--version')).to.match(/^rystra\/\d/)
    const { created, changed } = JSON.parse(await rystra('init', '.', '--json'))
    expect(created).to.include('rystra.config.yaml')
    expect([...created, ...changed]).to.include.members(['.env', 'README.md'])
    // Not of a checkout any more: this very version, from wherever packages come from.
    const { dependencies } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
    expect(dependencies.rystra).not.to.include('/cli')

    mkdirSync(join(dir, 'hooks'))
    writeFileSync(
      join(dir, 'hooks/mine.ts'),
      `import { defineExtension, type ExtensionContext } from '@rystra/plugin'\nexport default defineExtension({ name: 'mine', setup({ hooks }: ExtensionContext<object>) { hooks.onConnect.tap(() => {}) } })\n`
    )
    const file = join(dir, 'rystra.config.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('\nlog:', '  - ./hooks/mine.ts\n\nlog:'))
    expect(await rystra('check')).to.include('mine')
    const { extensions } = JSON.parse(await rystra('plugins:list', '--json'))
    expect(extensions.map(({ name }: { name: string }) => name)).to.deep.equal([
      'transport-tcp',
      'mux-yamux',
      'mux-direct',
      'proxy-tcp',
      'auth-token',
      'mine'
    ])

    const server = spawn(process.execPath, [bin, 'serve', '--port', '0', '--json'], {
      cwd: dir,
      env: cleanEnv(),
      stdio: ['ignore', 'pipe', 'ignore']
    })
    try {
      const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string]
      const listening = JSON.parse(line) as Event
      expect(listening.event).to.equal('listening')
      const token = /RYSTRA_TOKEN=(.*)/.exec(readFileSync(join(dir, '.env'), 'utf8'))?.[1] ?? ''
      const client = spawn(
        process.execPath,
        [bin, 'expose', 'tcp', '9', '--to', `127.0.0.1:${listening['port']}`, '--token', token, '--json'],
        { cwd: folders.make(), env: cleanEnv(), stdio: ['ignore', 'pipe', 'ignore'] }
      )
      try {
        const events: string[] = []
        for await (const text of createInterface({ input: client.stdout })) {
          events.push((JSON.parse(text) as Event).event)
          if (events.includes('published')) break
        }
        expect(events).to.deep.equal(['connected', 'published'])
      } finally {
        client.kill('SIGINT')
        await once(client, 'exit')
      }
    } finally {
      server.kill('SIGINT')
      await once(server, 'exit')
    }
    expect(server.exitCode).to.equal(0)
  })

  it('extension:create makes an extension of each kind that compiles and passes its test', async () => {
    const kinds = ['hook', 'auth', 'proxy', 'transport', 'muxer']
    for (const kind of kinds) {
      const bin = join(dir, 'node_modules/rystra/bin/run.js')
      await must(process.execPath, [bin, 'extension:create', `my-${kind}`, '--kind', kind], dir)
      const { scripts } = JSON.parse(readFileSync(join(dir, `my-${kind}`, 'package.json'), 'utf8'))
      expect(scripts.test).to.equal('node --import tsx --test test/index.spec.ts')
    }
    // What its author may write besides, with the published packages alone, and the loader that tests named before.
    writeFileSync(join(dir, 'my-hook/test/walk.spec.ts'), walkTest)
    // All in one process, which loads the testkit once; the extension of a checkout is tested by npm itself.
    const files = [...kinds.map((kind) => `./my-${kind}/test/index.spec.ts`), './my-hook/test/walk.spec.ts']
    writeFileSync(join(dir, 'all.mjs'), files.map((file) => `await import('${file}')\n`).join(''))
    const out = await must(process.execPath, ['--import', 'rystra/register', 'all.mjs'], dir)
    expect(out).to.match(/[#ℹ] fail 0/)
    expect(Number(/[#ℹ] pass (\d+)/.exec(out)?.[1])).to.be.at.least(files.length)
    const { compilerOptions } = JSON.parse(readFileSync(join(dir, 'my-hook/tsconfig.json'), 'utf8'))
    const compile = compiler(dir, compilerOptions)
    expect(compile('my-*/**/*')).to.equal('')
    // A program of its own: nothing but the configuration says what its options are.
    mkdirSync(join(dir, 'typed'))
    writeFileSync(join(dir, 'typed/typo.ts'), typoConfig)
    expect(compile('typed/*')).to.equal('')
  })

  it('each package has what its exports name, and a README', () => {
    expect(packages).to.have.length(published().length)
    for (const [index, { name, files }] of packages.entries()) {
      const paths = files.map(({ path }) => path)
      expect(paths, name).to.include.members(['package.json', 'dist/index.js', 'dist/index.d.ts', 'src/index.ts'])
      expect(
        paths.filter((path) => /\.env|^(?!templates).*\.spec\.|node_modules/.test(path)),
        name
      ).to.deep.equal([])
      if (existsSync(join(published()[index] ?? '', 'README.md'))) expect(paths, name).to.include('README.md')
    }
  })
})
