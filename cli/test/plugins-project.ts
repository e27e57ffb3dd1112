import { loadConfig } from '@rystra/config'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assume } from '../src/init/ask.js'
import type { Format } from '../src/init/plan.js'
import { writeProject } from '../src/init/write.js'
import { addExtension, type AddOptions, type Added } from '../src/plugins/add.js'
import { useOf } from '../src/plugins/change.js'
import type { Npm } from '../src/plugins/npm.js'
import { removeExtension, type Removed } from '../src/plugins/remove.js'
import type { Folders } from './folder.js'

/** An extension that can be installed. */
export const fixture = fileURLToPath(new URL('fixtures/hook-hours', import.meta.url))

/** A new project, as `rystra init` writes it. */
export const project = async (folders: Folders, format: Format = 'yaml'): Promise<string> => {
  // Extensions are loaded in a forked process, which takes over the flags of this one. What is built starts four times as fast.
  if (process.env['RYSTRA_TEST_BUILT'] === '1') process.execArgv = ['--no-opt']
  const dir = folders.make()
  const { plan, token } = assume({ format })
  await writeProject(dir, plan, { token, force: false })
  return dir
}

/** Does to package.json, lock files and node_modules what npm does with a folder, without a process and without a registry. */
export const linkingNpm: Npm = async ([command, ...args], { dir }) => {
  const spec = args.at(-1) ?? ''
  const file = join(dir, 'package.json')
  const json = JSON.parse(readFileSync(file, 'utf8')) as { dependencies: Record<string, string> }
  const source = spec.replace(/^file:/, '')
  const name = command === 'install' ? JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')).name : spec
  const link = join(dir, 'node_modules', name)
  if (command === 'install') {
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(source, link)
    json.dependencies[name] = spec
  } else {
    rmSync(link)
    delete json.dependencies[name]
  }
  for (const path of [file, join(dir, 'package-lock.json'), join(dir, 'node_modules/.package-lock.json')])
    writeFileSync(path, `${JSON.stringify(json, undefined, 2)}\n`)
  return ''
}

/** `plugins:add` without a process for npm, unless one is given. */
export const add = (cwd: string, what: string, more: Partial<AddOptions> = {}): Promise<Added> =>
  addExtension({
    what,
    cwd,
    options: {},
    dryRun: false,
    allowScripts: false,
    onResolved: () => {},
    onStep: () => {},
    npm: linkingNpm,
    ...more
  })

/** `plugins:remove` without a process for npm, unless one is given. */
export const remove = (cwd: string, what: string, npm: Npm = linkingNpm): Promise<Removed> =>
  removeExtension({ what, cwd, dryRun: false, onStep: () => {}, npm })

/** What the configuration lists. */
export const usesIn = async (dir: string): Promise<string[]> =>
  (await loadConfig({ cwd: dir, env: {} })).config.extensions.map((entry) => useOf(entry as never))

/** package.json of an extension. */
export const manifest = (more: object = {}): string =>
  JSON.stringify({
    name: 'bad',
    version: '1.0.0',
    type: 'module',
    exports: './index.js',
    keywords: ['rystra-extension'],
    ...more
  })

/** Source of an extension. */
export const source = (body: string, options = ''): string => `import { defineExtension, Type } from '@rystra/plugin'
export default defineExtension({ name: 'bad', ${options} setup(context) { ${body} } })`

/** Whether a package is in node_modules. */
export const isInstalled = (dir: string, name: string): boolean => existsSync(join(dir, 'node_modules', name))
