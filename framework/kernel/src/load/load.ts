import { realpath } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  apiVersion,
  type Extension,
  type ExtensionEntry,
  isExtension,
  isRystraError,
  RystraError
} from '@rystra/plugin'
import satisfies from 'semver/functions/satisfies.js'
import validRange from 'semver/ranges/valid.js'
import type { Manifest } from './entry.js'
import type { PackageInfo } from '../instance.js'
import { type LoadFrom, locateExtension } from './locate.js'
import type { KernelUse } from '../plan.js'

/** An extension that was loaded, and what is known of where it came from. */
export interface LoadedExtension {
  readonly extension: Extension
  /** Absolute. */
  readonly file: string
  /** Absent for a file that is named by its path. */
  readonly package?: PackageInfo
}

const typescript = new Set(['.ts', '.mts', '.cts', '.tsx'])

/** The packages of a checkout whose kernel runs from its sources: whatever runs this TypeScript runs theirs, too. */
const sources = import.meta.url.endsWith('.ts')
  ? ['framework', 'extensions'].map((name) => fileURLToPath(new URL(`../../../../${name}/`, import.meta.url)))
  : []

/**
 * What an extension may import of ours. A file beside a configuration need not have them installed: it gets the copies
 * that the kernel itself runs with.
 */
const contracts = async (): Promise<Record<string, unknown>> => ({
  '@rystra/plugin': await import('@rystra/plugin'),
  '@rystra/model': await import('@rystra/model'),
  '@rystra/bytes': await import('@rystra/bytes'),
  '@rystra/protocol': await import('@rystra/protocol'),
  '@sinclair/typebox': await import('@rystra/model/schema')
})

const viaJiti = async (named: string, more: Readonly<Record<string, unknown>>): Promise<unknown> => {
  // As Node does: what a linked package imports is looked for beside the package, not beside the link.
  const file = await realpath(named)
  if (sources.some((folder) => file.startsWith(folder))) return import(pathToFileURL(file).href)
  const { createJiti } = await import('jiti')
  // No cache on disk: an extension is small, and nothing is to be left in the user's project.
  const jiti = createJiti(pathToFileURL(file).href, {
    fsCache: false,
    virtualModules: { ...(await contracts()), ...more }
  })
  return jiti.import(file)
}

/** The module that was not found, if an error says so. */
const missingModule = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined
  const { code } = error as { code?: string }
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return undefined
  return /Cannot find (?:package|module) '([^']+)'/.exec(error.message)?.[1]
}

/** Imports a file of a project, TypeScript too. `more` are modules that it may import besides, by their names. */
export const importModule = async (file: string, more: Readonly<Record<string, unknown>> = {}): Promise<unknown> => {
  if (typescript.has(extname(file))) return viaJiti(file, more)
  try {
    return await import(pathToFileURL(file).href)
  } catch (error) {
    // Static imports fail before anything has run, so that a second try runs nothing twice.
    const missing = missingModule(error)
    if (missing !== undefined && Object.hasOwn({ ...(await contracts()), ...more }, missing)) return viaJiti(file, more)
    throw error
  }
}

const importExtension = async (ref: string, file: string): Promise<unknown> => {
  try {
    return await importModule(file)
  } catch (cause) {
    if (isRystraError(cause)) throw cause
    const missing = missingModule(cause)
    throw missing === undefined
      ? new RystraError('extension.load-failed', {
          detail: `${ref}: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause
        })
      : new RystraError('extension.load-failed', {
          detail: `${ref} is there, but its import of ${JSON.stringify(missing)} cannot be found`,
          hint: `install what it needs: \`npm install\` where it is, or \`npm install ${missing}\``,
          cause
        })
  }
}

/** Refuses a package that does not fit before any of its code runs. */
const checkManifest = (ref: string, manifest: Manifest): void => {
  const node = manifest.engines?.node
  if (
    node !== undefined &&
    validRange(node) !== null &&
    !satisfies(process.versions.node, node, { includePrerelease: true })
  ) {
    throw new RystraError('extension.incompatible', {
      detail: `${ref} needs Node ${node}; this is ${process.versions.node}`,
      hint: `run Node ${node}, or install a version of ${ref} made for this one`
    })
  }
  const wanted = manifest.peerDependencies?.['@rystra/plugin']
  if (wanted === undefined || validRange(wanted) === null) return
  const { version } = createRequire(import.meta.url)('@rystra/plugin/package.json') as { version: string }
  if (satisfies(version, wanted, { includePrerelease: true })) return
  throw new RystraError('extension.incompatible', {
    detail: `${ref} needs @rystra/plugin ${wanted}; this is ${version}`
  })
}

/** The extension that a module exports; also of CommonJS that was transpiled, with a default inside the default. */
const extensionOf = (ref: string, module: unknown): Extension => {
  const exported = Object(module) as { readonly [name: string]: unknown; readonly default?: unknown }
  const inner = (exported.default as { default?: unknown } | null | undefined)?.default
  const found = [exported.default, inner, module].find(isExtension)
  if (found === undefined) {
    const named = Object.keys(exported).find((name) => isExtension(exported[name]))
    throw new RystraError('extension.not-an-extension', {
      detail: `the default export of ${ref} is ${exported.default === undefined ? 'missing' : 'something else'}`,
      ...(named === undefined ? {} : { hint: `it exports one as ${named}: make that the default export` })
    })
  }
  if (found.apiVersion !== apiVersion) {
    const older = found.apiVersion < apiVersion
    throw new RystraError('extension.incompatible', {
      detail: `${ref} is made for version ${found.apiVersion} of the contracts; this kernel has ${apiVersion}`,
      hint: older ? `install a newer version of ${ref}` : 'update Rystra'
    })
  }
  return found
}

/**
 * Finds and loads an extension: of an installed package by name, of a path to a `.ts`, `.mts`, `.js`, `.mjs` or `.cjs`
 * file, or of the folder of a package. Code is loaded once in the life of the process: what was changed on disk since
 * is not seen.
 *
 * Rejects with `extension.not-found`, `extension.not-an-extension`, `extension.incompatible` or `extension.load-failed`.
 */
export const loadPackage = async (ref: string, from: LoadFrom): Promise<LoadedExtension> => {
  const { file, manifest } = locateExtension(ref, from)
  if (manifest !== undefined) checkManifest(ref, manifest)
  const extension = extensionOf(ref, await importExtension(ref, file))
  const { name, version } = manifest ?? {}
  return { extension, file, ...(name === undefined || version === undefined ? {} : { package: { name, version } }) }
}

/** As {@link loadPackage}, the extension alone. */
export const loadExtension = async (ref: string, from: LoadFrom): Promise<Extension> =>
  (await loadPackage(ref, from)).extension

/** Loads what a configuration lists, in its order, for {@link Kernel.provision}. Rejects with the first that fails. */
export const loadExtensions = async (entries: readonly ExtensionEntry[], from: LoadFrom): Promise<KernelUse[]> => {
  const uses: KernelUse[] = []
  for (const entry of entries) uses.push(await loadEntry(entry, from))
  return uses
}

const loadEntry = async (entry: ExtensionEntry, from: LoadFrom): Promise<KernelUse> => {
  if (typeof entry === 'string') return loadEntry({ use: entry }, from)
  if (isExtension(entry)) return loadEntry({ use: entry }, from)
  if (typeof entry !== 'object' || entry === null) return { extension: checked(entry), options: {} }
  if ('extension' in entry) return { ...entry, extension: checked(entry.extension) }
  const { use, name, options } = entry
  const loaded = typeof use === 'string' ? await loadPackage(use, from) : { extension: checked(use) }
  return {
    extension: loaded.extension,
    options: options ?? {},
    ...(name === undefined ? {} : { name }),
    ...('package' in loaded ? { package: loaded.package } : {})
  }
}

const checked = (use: unknown): Extension => extensionOf('the extension given', { default: use })
