import { loadConfig } from '@rystra/config'
import type { ExtensionEntry } from '@rystra/kernel'
import { RystraError } from '@rystra/model'
import { readFile, writeFile } from 'node:fs/promises'
import { isEdited, removeEntry } from '../edit/index.js'
import { presetPackages } from '../preset.js'
import { probe } from '../probe/index.js'
import { readPackage } from '../project/checkout.js'
import { planExtensions } from '../provision.js'
import { changeProject, putBack, saysTheSame, useOf } from './change.js'
import { npm, type Npm } from './npm.js'

/** What `plugins:remove` is told. */
export interface RemoveOptions {
  /** Package, path, or the name the extension gives itself. */
  readonly what: string
  readonly cwd: string
  readonly config?: string | undefined
  readonly dryRun: boolean
  readonly onStep: (step: string) => void
  /** Uninstalls packages. @default the npm of this machine */
  readonly npm?: Npm
}

/** What `plugins:remove` did. */
export interface Removed {
  readonly use: string
  readonly config: string
  readonly uninstalled: boolean
  readonly dryRun: boolean
}

const find = async (what: string, entries: readonly ExtensionEntry[], dir: string): Promise<number> => {
  const named = entries.findIndex(
    (entry) => useOf(entry) === what || (typeof entry === 'object' && 'name' in entry && entry.name === what)
  )
  if (named !== -1 || entries.length === 0) return named
  // By the name it gives itself: only loading it tells. What does not load can still be removed by its package.
  const uses = await planExtensions(entries, dir).catch(() => [])
  const listed = uses.filter(({ from }) => from === 'config')
  return listed.findIndex(({ extension }) => extension.definition.name === what)
}

const absent = (what: string, path: string, entries: readonly ExtensionEntry[]): RystraError => {
  const listed = entries.map(useOf).join(', ') || 'nothing'
  const preset = presetPackages.includes(what)
  return new RystraError('extension.not-found', {
    detail: `${path} does not list ${what}; it lists ${listed}`,
    hint: preset
      ? 'it belongs to the preset and is loaded anyway; an extension of the same name in the configuration takes its place'
      : 'see `rystra plugins:list`'
  })
}

/** Takes an extension out of a project, as a whole or not at all. */
export const removeExtension = (options: RemoveOptions): Promise<Removed> =>
  changeProject({ cwd: options.cwd, file: options.config }, async ({ loaded, signal }) => {
    const { dir, path, format } = loaded
    const entries = loaded.config.extensions as readonly ExtensionEntry[]
    const index = await find(options.what, entries, dir)
    const entry = entries[index]
    if (entry === undefined) throw absent(options.what, path, entries)
    const use = useOf(entry)

    if (!isEdited(format)) {
      throw new RystraError('usage.invalid', {
        detail: `${path} is edited by hand: take ${use} out of its \`extensions\``,
        hint: `then run \`npm uninstall ${use}\``
      })
    }
    options.onStep(`taking ${use} out of ${path}`)
    const text = await readFile(path, 'utf8')
    const changed = removeEntry({ path, format, text }, index)
    const rest = entries.filter((_, i) => i !== index)
    if (changed !== undefined) await writeFile(path, changed)
    const after = changed === undefined ? undefined : await loadConfig({ file: path }).catch(() => undefined)
    if (after === undefined || !saysTheSame(loaded, after, rest)) {
      throw new RystraError('extension.add-failed', {
        detail: `${use} cannot be taken out of ${path} safely; everything is as it was`,
        hint: 'take it out by hand, then run `npm uninstall`'
      })
    }

    const json = await readPackage(dir)
    const still = rest.some((other) => useOf(other) === use)
    const uninstalled = !still && json?.dependencies?.[use] !== undefined
    if (uninstalled) {
      options.onStep(`uninstalling ${use}`)
      await (options.npm ?? npm)(['uninstall', '--save', use], { dir, signal })
    }
    options.onStep('setting everything up without it')
    await probe({ config: path }, signal)
    signal.throwIfAborted()
    const removed: Removed = { use, config: path, uninstalled, dryRun: options.dryRun }
    return options.dryRun ? putBack(removed) : removed
  })
