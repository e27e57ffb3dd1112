import { loadConfig } from '@rystra/config'
import type { ExtensionEntry } from '@rystra/kernel'
import { type ErrorDetails, isRystraError, RystraError } from '@rystra/model'
import { readFile, writeFile } from 'node:fs/promises'
import { addEntry, isEdited, type NewEntry, snippetOf } from '../edit/index.js'
import { probe, type ProbeReport } from '../probe/index.js'
import { readPackage } from '../project/checkout.js'
import { packageRoot } from '../package-root.js'
import { changeProject, putBack, saysTheSame, useOf } from './change.js'
import { type Inspected, inspectPackage } from './manifest.js'
import { npm, type Npm } from './npm.js'
import { resolvePackage } from './spec.js'

/** What `plugins:add` is told. */
export interface AddOptions {
  readonly what: string
  readonly cwd: string
  readonly config?: string | undefined
  readonly options: Readonly<Record<string, unknown>>
  /** Do everything, then put everything back. */
  readonly dryRun: boolean
  /** Let npm run the install scripts of packages. */
  readonly allowScripts: boolean
  /** Told what was found before anything is installed. */
  readonly onResolved: (found: Inspected) => void
  readonly onStep: (step: string) => void
  /** Milliseconds for loading and setting up. @default 30000 */
  readonly timeout?: number
  /** Installs packages. @default the npm of this machine */
  readonly npm?: Npm
}

/** What `plugins:add` did. */
export interface Added {
  readonly package: Inspected
  readonly extension: NonNullable<ProbeReport['extension']>
  readonly config: string
  /** Whether the configuration was changed; otherwise `snippet` has to be written into it by hand. */
  readonly written: boolean
  readonly snippet: string
  readonly dryRun: boolean
}

const alreadyThere = (name: string, path: string): RystraError =>
  new RystraError('extension.duplicate', {
    detail: `${name} is in ${path} already`,
    hint: 'change its options there, or remove it first with `rystra plugins:remove`'
  })

/** Options of an extension that is not in the configuration yet are given on the command line. */
const withOptionsHint = (error: unknown): never => {
  if (!isRystraError(error) || error.code !== 'extension.options') throw error
  const { detail, side, cause, code } = error
  const hint = `give its options as JSON: --options '{"name": "value"}'`
  throw Object.assign(new RystraError(code, { detail, side, cause, hint } as ErrorDetails), {
    problems: (error as { problems?: unknown }).problems
  })
}

/** Adds an extension to a project, as a whole or not at all. */
export const addExtension = (options: AddOptions): Promise<Added> =>
  changeProject({ cwd: options.cwd, file: options.config }, async ({ loaded, signal }) => {
    const { dir, path, format } = loaded
    const entries = loaded.config.extensions as readonly ExtensionEntry[]
    options.onStep(`looking for ${options.what}`)
    const found = await resolvePackage(options.what, options.cwd, dir, signal)
    const own = await readPackage(packageRoot)
    const inspected = inspectPackage(found, own?.version ?? '0.0.0')
    options.onResolved(inspected)
    if (entries.some((entry) => useOf(entry) === found.name)) throw alreadyThere(found.name, path)

    options.onStep(`installing ${found.name}@${found.version}`)
    await (options.npm ?? npm)(['install', '--save', '--save-exact', found.spec], {
      dir,
      signal,
      scripts: options.allowScripts
    })

    options.onStep('loading it, and setting everything up with it, without starting')
    const use = found.name
    const add = Object.keys(options.options).length === 0 ? use : { use, options: options.options }
    const { extension } = await probe({ config: path, add, about: use }, signal, options.timeout).catch(withOptionsHint)
    if (extension === undefined) throw new RystraError('internal', { detail: `${use} was not among what was loaded` })

    const entry: NewEntry = { use, options: options.options, defaults: extension.defaults }
    const text = await readFile(path, 'utf8')
    const changed = addEntry({ path, format, text }, entry)
    let written = false
    if (changed !== undefined) {
      options.onStep(`writing it into ${path}`)
      await writeFile(path, changed)
      const after = await loadConfig({ file: path }).catch((cause: unknown) => {
        throw new RystraError('extension.add-failed', { detail: `${path} could not be edited`, cause })
      })
      written = after !== undefined && saysTheSame(loaded, after, [...entries, add], 1)
      if (!written) await writeFile(path, text)
    }
    if (!written && isEdited(format)) {
      throw new RystraError('extension.add-failed', {
        detail: `it is not clear where to write it in ${path}`,
        hint: 'write `extensions` as a list in a block of its own, and try again'
      })
    }
    // Options were not compared with the file: variables in them are resolved only now.
    if (written && typeof add !== 'string') await probe({ config: path }, signal, options.timeout)
    signal.throwIfAborted()
    const added: Added = {
      package: inspected,
      extension,
      config: path,
      written,
      snippet: snippetOf(format, entry),
      dryRun: options.dryRun
    }
    return options.dryRun ? putBack(added) : added
  })
