import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute, join, resolve as resolvePath } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RystraError } from '@rystra/plugin'
import { entryOf, type Manifest } from './entry.js'

/** Where references are resolved from. */
export interface LoadFrom {
  /** The folder of the configuration: relative paths start here, and so does the search for packages. */
  readonly dir: string
  /** Asked first for a package name: its file or folder, or nothing. For packages that are not installed, as in a checkout. */
  readonly resolve?: (name: string) => string | undefined
}

/** An extension that was found, and is not loaded yet. */
export interface Located {
  /** Absolute. */
  readonly file: string
  /** Of the package, when the reference is to one and not to a file. */
  readonly manifest?: Manifest
}

/** Whether a reference is to a file or folder, and not to a package by its name. */
export const isPath = (ref: string): boolean => /^(\.\.?([/\\]|$)|file:)/.test(ref) || isAbsolute(ref)

const namePattern = /^((?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*)((?:\/[^/\\]+)*)$/i

const notFound = (detail: string, hint: string, cause?: unknown): RystraError =>
  new RystraError('extension.not-found', { detail, hint, cause })

const kindAt = (path: string): 'file' | 'folder' | undefined => {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isDirectory() === true ? 'folder' : stats?.isFile() === true ? 'file' : undefined
}

const readManifest = (folder: string, ref: string): Manifest => {
  const unreadable = (cause?: unknown): RystraError =>
    new RystraError('extension.load-failed', { detail: `the package.json of ${ref} cannot be read`, cause })
  let text: string
  try {
    text = readFileSync(join(folder, 'package.json'), 'utf8')
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'ENOENT') throw unreadable(cause)
    throw new RystraError('extension.not-an-extension', {
      detail: `${ref} is a folder without a package.json`,
      hint: 'name the file, or give the folder a package.json with "exports"'
    })
  }
  try {
    const manifest: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    if (typeof manifest === 'object' && manifest !== null) return manifest
  } catch (cause) {
    throw unreadable(cause)
  }
  throw unreadable()
}

/** The entry of a package's folder. A package that was not built says so here. */
const entryIn = (folder: string, ref: string, subpath: string): Located => {
  const manifest = readManifest(folder, ref)
  const entry = entryOf(manifest, subpath)
  if (entry === undefined) {
    throw notFound(`${ref} is installed, but its "exports" do not offer ${subpath}`, 'see the README of the package')
  }
  const file = resolvePath(folder, entry)
  const found = [file, `${file}.js`, join(file, 'index.js')].find((path) => kindAt(path) === 'file')
  if (found === undefined) {
    throw notFound(
      `${ref} is installed, but its entry ${entry} is missing`,
      `build the package, or install it again; it is in ${folder}`
    )
  }
  return { file: found, manifest }
}

const locatePath = (path: string, ref: string): Located => {
  const kind = kindAt(path)
  if (kind === 'file') return { file: path }
  if (kind === 'folder') return entryIn(path, ref, '.')
  const near = ['.ts', '.mts', '.js', '.mjs', '.cjs'].find((extension) => existsSync(path + extension))
  throw notFound(
    near === undefined ? `there is no ${ref}` : `there is no ${ref}, but a ${ref}${near}`,
    near === undefined ? `create it, or correct the path; looked for ${path}` : `write ${ref}${near}`
  )
}

const locatePackage = (ref: string, name: string, subpath: string, dir: string): Located => {
  const folders = createRequire(join(dir, 'rystra.js')).resolve.paths(name) ?? []
  for (const folder of folders) {
    const found = join(folder, name)
    if (kindAt(join(found, 'package.json')) === 'file') return entryIn(found, ref, subpath)
  }
  throw notFound(`${name} is not installed`, `check its name, and install it; looked from ${dir} upwards`)
}

/**
 * Finds the file of an extension: of a package name, or of a path to a file or to the folder of a package. Runs none of
 * its code. Throws `extension.not-found`, `extension.not-an-extension` or `extension.load-failed`.
 */
export const locateExtension = (ref: string, { dir, resolve }: LoadFrom): Located => {
  if (ref.startsWith('file:')) return locatePath(fileURLToPath(ref), ref)
  if (isPath(ref)) return locatePath(resolvePath(dir, ref), ref)
  const [, name, rest] = namePattern.exec(ref) ?? []
  if (name === undefined || rest === undefined) {
    const hint = 'write a package name, or a path that begins with ./'
    throw notFound(`${JSON.stringify(ref)} is neither a package name nor a path`, hint)
  }
  const subpath = rest === '' ? '.' : `.${rest}`
  const given = resolve?.(name)
  if (given === undefined) return locatePackage(ref, name, subpath, dir)
  return kindAt(given) === 'folder' ? entryIn(given, ref, subpath) : locatePath(given, ref)
}
