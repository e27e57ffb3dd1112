import fs from 'node:fs'
import path from 'node:path'
import { typoConfig, walkTest } from '../../../cli/test/e2e/author-walk.js'
import { published } from '../../../cli/test/e2e/built.js'
import { cleanEnv } from '../../../cli/test/command.js'
import { must, outcome, run, type Trial } from '../visitors/trial.js'

const checkout = path.resolve(import.meta.dirname, '../../..')

/** All packages as they are published, installed by npm in an empty folder, and an extension written there. */
export const author: Trial = {
  name: 'author',
  programs: ['npm'],
  async use(scratch, report) {
    for (const name of Object.keys(process.env)) if (!(name in cleanEnv())) delete process.env[name]
    const tarballs = path.join(scratch.dir, 'tarballs')
    const project = path.join(scratch.dir, 'project')
    fs.mkdirSync(tarballs)
    fs.mkdirSync(project)
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', tarballs, ...published()]
    const packed = JSON.parse((await run('npm', pack, { cwd: checkout })).stdout) as {
      name: string
      filename: string
    }[]
    const files = new Map(packed.map(({ name, filename }) => [name, path.join(tarballs, filename)]))
    const npm = ['--no-audit', '--no-fund', '--prefer-offline']
    let installed = false
    await report.check('npm install of the tarballs', async () => {
      fs.writeFileSync(path.join(project, 'package.json'), '{ "private": true }')
      const { code, stderr } = await outcome(
        'npm',
        ['install', ...npm, '--prefix', project, ...files.values()],
        240_000
      )
      must(code === 0, stderr)
      installed = true
      return `${files.size} packages`
    })
    if (!installed) return
    const bin = path.join(project, 'node_modules/.bin/rystra')
    const rystra = (cwd: string, ...args: string[]) => run(process.execPath, [bin, ...args], { cwd })
    await report.check('init, check', async () => {
      await rystra(project, 'init', '.', '--yes')
      const { stdout } = await rystra(project, 'check')
      return stdout.trim().split('\n').at(-1) ?? ''
    })
    const tsc = path.join(checkout, 'node_modules/typescript/bin/tsc')
    const make = async (kind: string): Promise<string> => {
      const made = path.join(scratch.dir, `my-${kind}`)
      await rystra(project, 'extension:create', `@acme/rystra-${kind}-mine`, '--kind', kind, '--dir', made)
      const file = path.join(made, 'package.json')
      const manifest = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, Record<string, string>>
      // The registry does not have these versions yet.
      const overrides = Object.fromEntries([...files].map(([name, tarball]) => [name, `file:${tarball}`]))
      for (const field of ['dependencies', 'devDependencies', 'peerDependencies'])
        for (const name of Object.keys(manifest[field] ?? {}))
          if (files.has(name)) (manifest[field] as Record<string, string>)[name] = overrides[name] as string
      fs.writeFileSync(file, JSON.stringify({ ...manifest, overrides }, null, 2))
      const install = await outcome('npm', ['install', ...npm, '--prefix', made], 240_000)
      must(install.code === 0, install.stderr)
      if (kind === 'hook') fs.writeFileSync(path.join(made, 'test/walk.spec.ts'), walkTest)
      const tests = await run('npm', ['test'], { cwd: made })
      must(/[#ℹ] fail 0/.test(tests.stdout), tests.stdout)
      await run(process.execPath, [tsc, '--noEmit', '-p', made], { cwd: made })
      return (/[#ℹ] pass \d+/.exec(tests.stdout) ?? [''])[0]
    }
    for (const kind of ['hook', 'auth', 'transport', 'muxer', 'proxy'])
      await report.check(`extension:create --kind ${kind}, npm test with its kit, tsc`, () => make(kind))
    await report.check('state over a reload, a secret option', async () => {
      const made = path.join(scratch.dir, 'my-hook')
      const { stdout } = await run(process.execPath, ['--import', 'tsx', '--test', 'test/walk.spec.ts'], { cwd: made })
      must(/[#ℹ] fail 0/.test(stdout), stdout)
      return 'handed over twice; the secret is not shown'
    })
    await report.check('a misspelt option in a TypeScript configuration', async () => {
      const folder = path.join(project, 'typed')
      fs.mkdirSync(folder)
      const compilerOptions = { noEmit: true, strict: true, module: 'nodenext', target: 'es2023', skipLibCheck: true }
      fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
      fs.writeFileSync(path.join(folder, 'config.ts'), typoConfig)
      const good = await outcome(process.execPath, [tsc, '-p', folder])
      must(good.code === 0, good.stdout)
      fs.writeFileSync(path.join(folder, 'config.ts'), typoConfig.replace(/^.*@ts-expect-error.*$/m, ''))
      const wrong = await outcome(process.execPath, [tsc, '-p', folder])
      must(wrong.code !== 0 && wrong.stdout.includes('tokn'), wrong.stdout)
      return wrong.stdout.split('\n')[0]?.replace(/^.*error /, '') ?? ''
    })
    await report.check('plugins:add of it, plugins:list', async () => {
      await rystra(project, 'plugins:add', path.join(scratch.dir, 'my-hook'))
      const { stdout } = await rystra(project, 'plugins:list')
      must(stdout.includes('mine'), stdout)
      return 'in the configuration and loaded'
    })
  }
}
