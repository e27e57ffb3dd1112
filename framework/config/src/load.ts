import { stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { cosmiconfig } from 'cosmiconfig'
import { type ConfigFormat, formatOf, read } from './formats.js'
import { envMistakes } from './env-mistakes.js'
import { ConfigError } from './problem.js'
import { readText, unreadable } from './text-file.js'
import type { ResolvedConfig } from './types.js'
import { inspectBase } from './validate.js'
import { type Environment, substituted } from './variables.js'

/** Names a configuration may have, in the order they are looked for. A folder may hold one of them. */
export const searchPlaces: readonly string[] = Object.freeze([
  ...['yaml', 'yml', 'json', 'toml', 'ts', 'js', 'mjs'].map((end) => `rystra.config.${end}`),
  '.rystrarc',
  ...['json', 'yaml', 'yml', 'toml', 'js', 'mjs', 'ts'].map((end) => `.rystrarc.${end}`),
  'package.json'
])

/** What {@link loadConfig} takes. */
export interface LoadOptions {
  /** The folder that is searched; folders above are not. @default the working directory */
  readonly cwd?: string
  /** This file instead, relative to `cwd`. */
  readonly file?: string
  /** Wins over the `.env` beside the file. @default process.env */
  readonly env?: Environment
}

/** A configuration that was read. */
export interface LoadedConfig {
  readonly config: ResolvedConfig
  /** Absolute path of the file. */
  readonly path: string
  /** Its folder: relative paths in it start here. */
  readonly dir: string
  readonly format: ConfigFormat
  /** What is wrong without being in the way: a `.env` that cannot be read, where all variables are set elsewhere. */
  readonly warnings: readonly string[]
}

/**
 * Finds a configuration, reads it, substitutes variables, checks it and fills in defaults; see {@link validateBase}.
 * @throws config.not-found, config.syntax, config.missing-variable, config.invalid, file.failed
 */
export const loadConfig = async (options: LoadOptions = {}): Promise<LoadedConfig> => {
  const { errors, ...loaded } = await inspectConfig(options)
  if (errors[0] !== undefined) throw errors[0]
  return loaded
}

/** A configuration with all that is wrong with it: fields that are wrong are `undefined`. */
export interface InspectedConfig extends LoadedConfig {
  readonly errors: readonly ConfigError[]
}

/** As {@link loadConfig}, but goes on after errors in the values. @throws config.not-found, config.syntax, file.failed */
export const inspectConfig = async ({
  cwd = process.cwd(),
  file,
  env = process.env
}: LoadOptions = {}): Promise<InspectedConfig> => {
  const { path, found } = file === undefined ? await search(resolve(cwd), env) : await named(resolve(cwd, file), env)
  const { raw, variables, warnings } = found
  const dir = dirname(path)
  const { value, errors } = substituted(raw, variables, path, warnings)
  const { config, problems } = inspectBase(value, { dir })
  // A variable that is missing is one mistake, not one of the variable and one of its field.
  const missing = new Set(errors.flatMap((error) => error.problems.map((problem) => problem.path)))
  const others = problems.filter((problem) => !missing.has(problem.path))
  return {
    config: config ?? ({ extensions: [], log: {} } as unknown as ResolvedConfig),
    path,
    dir,
    format: formatAt(path),
    warnings,
    errors: [...errors, ...(others.length > 0 ? [new ConfigError('config.invalid', others, path)] : [])]
  }
}

interface Found extends Variables {
  readonly raw: unknown
}

interface Variables {
  readonly variables: Environment
  readonly warnings: readonly string[]
}

const search = async (dir: string, env: Environment): Promise<{ path: string; found: Found }> => {
  const there = (
    await Promise.all(searchPlaces.map(async (name) => ((await exists(join(dir, name))) ? [name] : [])))
  ).flat()
  const configs = there.filter((name) => name !== 'package.json')
  const inPackage = there.includes('package.json') ? await loadPackage(dir, env, configs.length > 0) : undefined
  if (inPackage !== undefined) configs.push('package.json#rystra')
  const [name] = configs
  if (name === undefined)
    throw new ConfigError('config.not-found', [], undefined, [
      `looked in ${dir} for ${searchPlaces.join(', ')} (field rystra)`
    ])
  if (configs.length > 1)
    throw new ConfigError('config.syntax', [], undefined, [`${dir} has several, keep one: ${configs.join(', ')}`])
  if (inPackage !== undefined) return { path: join(dir, 'package.json'), found: inPackage }
  const path = join(dir, name)
  return { path, found: await mustLoad(path, env) }
}

/** A package.json that cannot be read is not our business where there is another configuration. */
const loadPackage = async (dir: string, env: Environment, isOptional: boolean): Promise<Found | undefined> => {
  try {
    return await load(join(dir, 'package.json'), env)
  } catch (error) {
    if (isOptional) return undefined
    throw error
  }
}

const named = async (path: string, env: Environment): Promise<{ path: string; found: Found }> => {
  if (!(await exists(path))) throw new ConfigError('config.not-found', [], undefined, [`there is no file ${path}`])
  return { path, found: await mustLoad(path, env) }
}

const mustLoad = async (path: string, env: Environment): Promise<Found> => {
  const found = await load(path, env)
  if (found === undefined)
    throw new ConfigError('config.syntax', [], path, [
      `${path}: it is empty${isPackage(path) ? ' (field rystra)' : ''}`
    ])
  return found
}

const isPackage = (path: string): boolean => basename(path) === 'package.json'
const formatAt = (path: string): ConfigFormat => formatOf[extname(path) || 'noExt'] ?? 'yaml'

/** Whether there is a file, or with `folders` anything. @throws file.failed when the system does not say */
const exists = async (path: string, folders = false): Promise<boolean> => {
  try {
    const found = await stat(path)
    return folders || !found.isDirectory()
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    // Whatever the name, nothing can be found in such a folder: reading the file tells what is wrong.
    throw unreadable(path, error)
  }
}

/** Undefined when the file has nothing in it. */
const load = async (path: string, env: Environment): Promise<Found | undefined> => {
  if (formatOf[extname(path) || 'noExt'] === undefined)
    throw new ConfigError('config.syntax', [], path, [
      `${path}: the name has to end in ${Object.keys(formatOf).slice(0, -1).join(', ')}`
    ])
  const { variables, warnings } = await variablesFor(dirname(path), env)
  const text = await readText(path)
  // Boxed, so that cosmiconfig does not act on what is in it: its `$import` reads other files without a bound.
  const boxed = async (file: string): Promise<unknown> => {
    const content = await read(formatAt(file), file, text, variables)
    if (!isPackage(file)) return { content }
    const field = typeof content === 'object' && content !== null && Object.hasOwn(content, 'rystra')
    return field ? { rystra: { content: (content as { rystra: unknown }).rystra } } : {}
  }
  try {
    const explorer = cosmiconfig('rystra', {
      searchPlaces: [...searchPlaces],
      searchStrategy: 'none',
      packageProp: 'rystra',
      cache: false,
      loaders: Object.fromEntries(Object.keys(formatOf).map((end) => [end, boxed]))
    })
    const result = (await explorer.load(path)) as { config?: { content: unknown } } | null
    const content = result?.config?.content
    return content === undefined || content === null ? undefined : { raw: content, variables, warnings }
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError('config.syntax', [], path, [
      `${path}: ${error instanceof Error ? error.message : String(error)}`
    ])
  }
}

/** The environment, and below it what a `.env` beside the configuration says. */
const variablesFor = async (dir: string, env: Environment): Promise<Variables> => {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
  const path = join(dir, '.env')
  try {
    if (!(await exists(path, true))) return { variables: set, warnings: [] }
    const text = await readText(path)
    const warnings = envMistakes(text).map((mistake) => `${path}: ${mistake}`)
    return { variables: { ...(parseEnv(text) as Environment), ...set }, warnings }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { variables: set, warnings: [error.detail ?? error.message] }
  }
}
