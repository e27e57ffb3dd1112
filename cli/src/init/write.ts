import { searchPlaces } from '@rystra/config'
import { RystraError } from '@rystra/model'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseEnv } from 'node:util'
import { backupFolder } from '../plugins/transaction.js'
import { type PackageJson, readPackage } from '../project/checkout.js'
import { dependencyOn } from './dependency.js'
import type { Format, Plan, Role } from './plan.js'
import { readmeOf } from './readme.js'
import { jsonConfig, tsConfig } from './script.js'
import { freshToken } from './token.js'
import { tomlConfig } from './toml.js'
import { yamlConfig } from './yaml.js'

const configOf: Readonly<Record<Format, (plan: Plan) => string>> = {
  yaml: yamlConfig,
  json: jsonConfig,
  toml: tomlConfig,
  ts: tsConfig
}

/** What a new project consists of. */
export interface Project {
  readonly role: Role
  /** File name of the configuration, and its text. */
  readonly config: string
  readonly text: string
  /** Extensions beside those of the preset. */
  readonly packages: readonly string[]
  /** The text of `.env`, of what is there; undefined to leave it as it is. */
  env(before: string | undefined): string | undefined
  readme(name: string): string
}

/** What was done. */
export interface Written {
  readonly dir: string
  readonly config: string
  readonly created: readonly string[]
  readonly changed: readonly string[]
  /** There already, and left alone. */
  readonly kept: readonly string[]
}

const textOf = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined)

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined

/** Configurations that are there: a folder may have one. */
const present = async (dir: string): Promise<string[]> => {
  const found: string[] = []
  for (const name of searchPlaces) if (name !== 'package.json' && (await exists(join(dir, name)))) found.push(name)
  if ((await readPackage(dir))?.rystra !== undefined) found.push('package.json')
  return found
}

/**
 * Writes the project of a plan, as {@link writeFiles} does.
 * @param token Put into `.env`, unless one is there.
 */
export const writeProject = (
  target: string,
  plan: Plan,
  options: { token?: string | undefined; force: boolean }
): Promise<Written> => {
  const config = `rystra.config.${plan.format}`
  const project: Project = {
    role: plan.role,
    config,
    text: configOf[plan.format](plan),
    packages: plan.packages,
    env: (before) => envOf(before, options.token),
    readme: (name) => readmeOf(plan, name, config)
  }
  return writeFiles(target, project, options.force)
}

/**
 * Writes a project. Overwrites nothing unless `force` is set, and keeps a copy then, with `.bak` after its name. Files
 * of the project that are there already only get what they lack.
 *
 * @throws usage.invalid when there is a configuration already
 */
export const writeFiles = async (target: string, project: Project, force: boolean): Promise<Written> => {
  const { config } = project
  await mkdir(target, { recursive: true }).catch((cause: unknown) => {
    throw new RystraError('usage.invalid', {
      detail: `${target} cannot be made a folder: ${(cause as Error).message}`,
      cause,
      hint: 'name another folder, or check the permissions of the one it is in'
    })
  })
  const dir = await realpath(target)
  const there = await present(dir)
  if (there.includes('package.json') || (there.length > 0 && !force)) {
    throw new RystraError('usage.invalid', {
      detail: `${dir} has a configuration already: ${there.join(', ')}`,
      hint: there.includes('package.json')
        ? 'take the field rystra out of package.json first'
        : 'name another folder, or replace it with --force (a copy is kept)'
    })
  }
  for (const name of there) await rename(join(dir, name), join(dir, `${name}.bak`))

  const done = { created: [] as string[], changed: [] as string[], kept: [] as string[] }
  const put = async (
    name: string,
    make: (before: string | undefined) => string | undefined,
    mode?: number
  ): Promise<void> => {
    const path = join(dir, name)
    const before = await textOf(path)
    const after = make(before)
    if (after === undefined || after === before) {
      done.kept.push(name)
      return
    }
    await replace(path, after, mode)
    done[before === undefined ? 'created' : 'changed'].push(name)
  }

  // The secret first, and out of git before it is there.
  await put('.gitignore', (before) =>
    withLines(before ?? '', ['node_modules/', '.env', '.rystra/', `${backupFolder}/`])
  )
  await put('.env', (before) => project.env(before), 0o600)
  await put(config, () => project.text)
  const dependencies = await dependenciesOf(dir, project.packages)
  await put('package.json', (before) => packageOf(before, basename(dir), project.role, dependencies))
  await put('README.md', (before) => before ?? project.readme(basename(dir)))
  return { dir, config, ...done }
}

/** Writes a file whole or not at all: on a disk that is full the one that is there is kept. `mode`: @default that of the file that is there */
const replace = async (path: string, text: string, mode: number | undefined): Promise<void> => {
  const there = await realpath(path).catch(() => undefined)
  const file = there ?? path
  const half = `${file}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeFile(half, text, { flag: 'wx', ...(mode === undefined ? {} : { mode }) })
    const rights = mode ?? (there === undefined ? undefined : (await stat(there)).mode & 0o7777)
    if (rights !== undefined) await chmod(half, rights)
    await rename(half, file)
  } catch (error) {
    await rm(half, { force: true })
    throw error
  }
}

const withLines = (text: string, lines: readonly string[]): string => {
  const has = new Set(text.split(/\r?\n/).map((line) => line.trim().replace(/^\//, '')))
  const missing = lines.filter((line) => !has.has(line) && !has.has(line.replace(/\/$/, '')))
  if (missing.length === 0) return text
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${missing.join('\n')}\n`
}

const envOf = (before: string | undefined, token: string | undefined): string | undefined => {
  const line = `RYSTRA_TOKEN=${token ?? freshToken()}\n`
  if (before === undefined)
    return `# The shared secret of server and clients. It is all that a client needs to use the tunnel.\n${line}`
  if (parseEnv(before)['RYSTRA_TOKEN'] === undefined) return `${before}${before.endsWith('\n') ? '' : '\n'}${line}`
  return token === undefined ? undefined : before.replace(/^[ \t]*(?:export[ \t]+)?RYSTRA_TOKEN[ \t]*=.*\n?/m, line)
}

const dependenciesOf = async (dir: string, packages: readonly string[]): Promise<Record<string, string>> => {
  const names = ['@rystra/plugin', ...packages, 'rystra']
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await dependencyOn(name, dir)] as const))
  )
}

const packageOf = (
  before: string | undefined,
  folder: string,
  role: Role,
  dependencies: Record<string, string>
): string | undefined => {
  if (before !== undefined) {
    const json = parsed(before)
    const named = { ...json.devDependencies, ...json.dependencies }
    const missing = Object.entries(dependencies).filter(([name]) => named[name] === undefined)
    if (missing.length === 0) return undefined
    return `${JSON.stringify({ ...json, dependencies: { ...json.dependencies, ...Object.fromEntries(missing) } }, null, 2)}\n`
  }
  const name =
    folder
      .toLowerCase()
      .replaceAll(/[^a-z0-9._~-]+/g, '-')
      .replace(/^[._-]+/, '') || 'tunnel'
  const scripts = {
    check: 'rystra check',
    ...(role === 'client' ? {} : { serve: 'rystra serve' }),
    ...(role === 'server' ? {} : { connect: 'rystra connect' })
  }
  const json = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=20.19' },
    scripts,
    dependencies
  }
  return `${JSON.stringify(json, null, 2)}\n`
}

const parsed = (text: string): PackageJson => {
  try {
    return JSON.parse(text) as PackageJson
  } catch (cause) {
    throw new RystraError('usage.invalid', {
      detail: 'the package.json here cannot be read',
      cause,
      hint: 'mend it first'
    })
  }
}
