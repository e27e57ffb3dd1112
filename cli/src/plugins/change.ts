import { type LoadedConfig, loadConfig } from '@rystra/config'
import type { ExtensionEntry } from '@rystra/kernel'
import { RystraError } from '@rystra/model'
import { isDeepStrictEqual } from 'node:util'
import { dirname } from 'node:path'
import { Transaction } from './transaction.js'

/** What a change of a project works with. */
export interface ChangeContext {
  readonly loaded: LoadedConfig
  readonly signal: AbortSignal
}

/** Thrown by a change to have everything put back, and its result returned all the same: a dry run. */
class PutBack<Result> {
  readonly result: Result
  constructor(result: Result) {
    this.result = result
  }
}

/** Ends a change without leaving a trace. */
export const putBack = <Result>(result: Result): never => {
  throw new PutBack(result)
}

/** What Ctrl-C during a change ends with. */
const interrupted = (): RystraError =>
  new RystraError('extension.add-failed', { detail: 'interrupted', hint: 'run it again' })

/**
 * Changes a project: what `change` does to package.json, lock file, node_modules and the configuration stays when it
 * resolves, and is undone when it rejects, when the process is told to stop, and, by the next change, after a kill -9.
 */
export const changeProject = async <Result>(
  options: { readonly cwd: string; readonly file?: string | undefined },
  change: (context: ChangeContext) => Promise<Result>
): Promise<Result> => {
  // Before the configuration is read: an earlier change may have left it half written.
  const { cwd, file } = options
  await Transaction.recover(cwd)
  const loaded = await loadConfig({ cwd, ...(file === undefined ? {} : { file }) })
  if (loaded.dir !== cwd) await Transaction.recover(loaded.dir)
  const abort = new AbortController()
  const stop = (): void => abort.abort(interrupted())
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of signals) process.on(name, stop)
  try {
    const transaction = await Transaction.begin(dirname(loaded.path), [loaded.path])
    try {
      const result = await change({ loaded, signal: abort.signal })
      abort.signal.throwIfAborted()
      await transaction.commit()
      return result
    } catch (error) {
      await transaction.rollback()
      if (error instanceof PutBack) return error.result as Result
      throw error
    }
  } finally {
    for (const name of signals) process.removeListener(name, stop)
  }
}

/** `use` of an entry, or the name of an extension that code gives. */
export const useOf = (entry: ExtensionEntry): string => {
  if (typeof entry === 'string') return entry
  if (typeof entry === 'function') return entry.definition.name
  if ('extension' in entry) return entry.extension.definition.name
  return typeof entry.use === 'string' ? entry.use : entry.use.definition.name
}

/** An entry as something that can be compared after the file was read again. */
const plain = (entry: ExtensionEntry): unknown => {
  if (typeof entry !== 'object') return { use: useOf(entry), options: {} }
  const { name, options } = entry as { name?: string; options?: unknown }
  return { use: useOf(entry), options: options ?? {}, ...(name === undefined ? {} : { name }) }
}

/**
 * Whether a configuration that was edited says what it is meant to say: these extensions, and all else as before.
 * Options of entries that were added are not compared: they may have variables in them.
 */
export const saysTheSame = (
  before: LoadedConfig,
  after: LoadedConfig,
  entries: readonly ExtensionEntry[],
  added = 0
): boolean => {
  const rest = ({ config }: LoadedConfig): unknown => ({ ...config, extensions: [] })
  const now = after.config.extensions as ExtensionEntry[]
  const kept = entries.length - added
  return (
    isDeepStrictEqual(rest(before), rest(after)) &&
    isDeepStrictEqual(entries.map(useOf), now.map(useOf)) &&
    isDeepStrictEqual(entries.slice(0, kept).map(plain), now.slice(0, kept).map(plain))
  )
}
