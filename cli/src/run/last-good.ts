import { type LoadedConfig, loadConfig, type RystraConfig } from '@rystra/config'
import { isRystraError, type Logger, type Side } from '@rystra/model'
import type { Runtime } from '@rystra/plugin'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { stateFolder } from './state.js'

/** In the state folder; readable by its owner alone, as it holds what variables stood for. A server and a client may share the folder. */
const files = { server: 'last-good.json', client: 'last-good-client.json' } as const

/** What was kept. */
interface Kept {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Path of the configuration that it was read from. */
  readonly path: string
  readonly config: RystraConfig
}

const fileIn = (dir: string, stateDir: string | undefined, side: Side): string =>
  path.join(stateDir ?? path.join(dir, '.rystra'), files[side])

/** Whether JSON can hold it: code in a configuration cannot be kept. */
const isData = (value: unknown): boolean => {
  if (typeof value === 'function' || typeof value === 'bigint') return false
  if (typeof value !== 'object' || value === null) return true
  const prototype = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== null && Object.getPrototypeOf(prototype) !== null) return false
  return Object.values(value).every(isData)
}

/** What stands for a limit that there is not: JSON has no such number. */
const INFINITE = '\0infinite'
const encode = (_name: string, value: unknown): unknown => (value === Number.POSITIVE_INFINITY ? INFINITE : value)
const decode = (_name: string, value: unknown): unknown => (value === INFINITE ? Number.POSITIVE_INFINITY : value)

/** What {@link keepLastGood} works with. */
export interface KeepOptions {
  readonly dir: string
  /** The one that it was made with. */
  readonly config: RystraConfig
  readonly stateDir: string | undefined
  readonly log: Logger
  /** Reads the configuration that a reload has just taken. */
  readonly read: () => Promise<RystraConfig>
}

/** Keeps the configuration in the state folder once it serves, and after each reload. */
export const keepLastGood = (runtime: Runtime, { dir, config, stateDir, log, read }: KeepOptions): void => {
  const file = fileIn(dir, stateDir, runtime.side)
  let last: Promise<unknown> = Promise.resolve()
  const keep = async (good: RystraConfig): Promise<void> => {
    if (!isData(good)) return
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    const kept: Kept = { at: Date.now(), path: dir, config: good }
    // Half a file would be no good one.
    const half = `${file}.${process.pid}`
    try {
      await writeFile(half, JSON.stringify(kept, encode), { mode: 0o600 })
      await rename(half, file)
    } catch (error) {
      await rm(half, { force: true })
      throw error
    }
  }
  const keepNext = (next: () => Promise<RystraConfig>): void => {
    last = last
      .then(next)
      .then(keep)
      .catch((err: unknown) => log.warn({ err }, 'the last good configuration could not be kept'))
  }
  let started = false
  runtime.events.subscribe(({ type }) => {
    // A server listens, a client has a session.
    if ((type === 'listener.opened' || type === 'session.opened') && !started) {
      started = true
      keepNext(() => Promise.resolve(config))
    } else if (type === 'reload.done') keepNext(read)
  })
}

/** How a configuration is looked for. */
export interface StartOptions {
  readonly cwd: string
  readonly config?: string | undefined
  readonly resume: boolean
}

/** What `find` finds; with `resume`, the last good configuration when that is broken. */
export const startable = async (
  { cwd, config: named, resume }: StartOptions,
  find: () => Promise<LoadedConfig | undefined>,
  side: Side
): Promise<LoadedConfig | undefined> => {
  try {
    return await find()
  } catch (error) {
    if (!resume || !isRystraError(error)) throw error
    const dir = named === undefined ? cwd : path.dirname(path.resolve(cwd, named))
    const kept = await readKept(fileIn(dir, stateFolder(true), side))
    if (kept === undefined) throw error
    const file = named === undefined ? await presentFile(cwd) : path.resolve(cwd, named)
    const warning = `the configuration is broken, started with the last good one of ${new Date(kept.at).toISOString()}: ${error.message}`
    return { config: kept.config as LoadedConfig['config'], path: file, dir, format: 'json', warnings: [warning] }
  }
}

const readKept = async (file: string): Promise<Kept | undefined> => {
  try {
    return JSON.parse(await readFile(file, 'utf8'), decode) as Kept
  } catch {
    return undefined
  }
}

/** The file that is broken: a reload reads it again. */
const presentFile = async (cwd: string): Promise<string> => {
  try {
    return (await loadConfig({ cwd })).path
  } catch (error) {
    return (error as { file?: string }).file ?? path.join(cwd, 'rystra.config.yaml')
  }
}
