import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { check } from './check.js'
import { copyPlain } from './plain.js'
import { conflictsOf } from './conflicts.js'
import { ConfigError, type Problem } from './problem.js'
import { type ResolvedConfig, configSchema } from './types.js'

/** Where a configuration comes from. */
export interface ConfigOrigin {
  /** Named in errors. */
  readonly file?: string
  /** The default of `client.id` depends on it. @default the working directory */
  readonly dir?: string
}

/**
 * Checks everything that can be checked without extensions, and fills in defaults. Leaves the fields that transports and
 * kinds of proxies add as they are, and the options of extensions. What it returns can be given to it again.
 * @throws config.invalid with all problems there are, see {@link ConfigError}
 */
export const validateBase = (raw: unknown, origin: ConfigOrigin = {}): ResolvedConfig => {
  const { config, problems } = inspectBase(raw, origin)
  if (config === undefined || problems.length > 0) throw new ConfigError('config.invalid', problems, origin.file)
  return config
}

/** What an inspection found. */
export interface Inspected {
  /** What is right; fields that are wrong are `undefined`. Nothing when the whole is wrong. */
  readonly config: ResolvedConfig | undefined
  readonly problems: readonly Problem[]
}

/** As {@link validateBase}, with all problems in the place of an exception. */
export const inspectBase = (raw: unknown, origin: ConfigOrigin = {}): Inspected => {
  const problems: Problem[] = []
  const plain = copyPlain(raw, problems)
  if (problems.length > 0) return { config: undefined, problems }
  const config = check(configSchema, renamed(plain), '', problems) as ResolvedConfig | undefined
  if (config === undefined) return { config, problems }
  // Not where a field is wrong by itself.
  const wrong = new Set(problems.map(({ path }) => path))
  problems.push(...conflictsOf(config).filter(({ path }) => !wrong.has(path)))
  if (config.client === undefined) return { config, problems }
  const id = config.client.id ?? defaultClientId(origin.dir)
  return { config: { ...config, client: { ...config.client, id } }, problems }
}

/** The same at each start, and different for each folder of a machine, so that no two clients replace each other. */
export const defaultClientId = (dir = process.cwd()): string => {
  const host =
    hostname()
      .replaceAll(/[^\w.-]+/g, '-')
      .slice(0, 100) || 'client'
  return `${host}-${createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 8)}`
}

let warned = false

/** `client.visitors` was the name of `client.forwards` in 0.1. Given both, the old one is an unknown field. */
const renamed = (plain: unknown): unknown => {
  const { client } = (plain ?? {}) as { client?: { visitors?: unknown; forwards?: unknown } }
  if (client?.visitors === undefined || client.forwards !== undefined) return plain
  if (!warned) process.emitWarning('client.visitors is called client.forwards; the old name is read until 0.3')
  warned = true
  const { visitors: forwards, ...others } = client
  return { ...(plain as object), client: { ...others, forwards } }
}
