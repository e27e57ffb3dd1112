import { RystraError } from '@rystra/model'
import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { satisfies, validRange } from 'semver'
import { findCheckout, type PackageJson, readPackage } from '../project/checkout.js'
import { npm } from './npm.js'
import { manifestOfTarball } from './tarball.js'

/** Where a package is to come from. */
export interface ResolvedPackage {
  readonly name: string
  readonly version: string
  readonly from: 'checkout' | 'folder' | 'tarball' | 'registry'
  /** What npm is told to install: `file:/…`, or `name@version`. */
  readonly spec: string
  readonly manifest: PackageJson
}

/** None that begins with a dash: npm would take it for a flag. */
const namePattern = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*$/

const isPath = (text: string): boolean =>
  /^\.{1,2}(?:[\\/]|$)|^~[\\/]|^file:/.test(text) || isAbsolute(text) || /\.(?:tgz|tar\.gz)$/.test(text)

const notFound = (detail: string, hint?: string): RystraError =>
  new RystraError('extension.not-found', { detail, ...(hint === undefined ? {} : { hint }) })

const checked = (manifest: unknown, where: string): PackageJson & { name: string; version: string } => {
  const { name, version } = (manifest ?? {}) as PackageJson
  if (typeof name !== 'string' || !namePattern.test(name) || typeof version !== 'string') {
    throw new RystraError('extension.not-an-extension', {
      detail: `${where}: its package.json has no name and version`
    })
  }
  return manifest as PackageJson & { name: string; version: string }
}

const ofPath = async (text: string, cwd: string): Promise<ResolvedPackage> => {
  const path = resolve(cwd, text.replace(/^file:(?:\/\/(?=\/))?/, '').replace(/^~(?=[\\/])/, homedir()))
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) throw notFound(`there is nothing at ${path}`, 'check the path')
  const isFolder = stats.isDirectory()
  if (!isFolder && !/\.(?:tgz|tar\.gz)$/.test(path)) {
    throw notFound(
      `${path} is neither a folder nor a .tgz`,
      'a single file needs no adding: write its path, ./hooks/mine.ts for example, under `extensions` in the configuration'
    )
  }
  const found = isFolder ? await readPackage(path) : await manifestOfTarball(path)
  if (found === undefined) throw notFound(`${join(path, 'package.json')} is not there, or cannot be read`)
  const manifest = checked(found, path)
  return {
    name: manifest.name,
    version: manifest.version,
    from: isFolder ? 'folder' : 'tarball',
    spec: `file:${path}`,
    manifest
  }
}

const ofRegistry = async (
  name: string,
  range: string | undefined,
  dir: string,
  signal?: AbortSignal
): Promise<ResolvedPackage> => {
  const wanted = `${name}@${range ?? 'latest'}`
  let answer: unknown
  try {
    answer = JSON.parse(await npm(['view', wanted, '--json'], { dir, signal }))
  } catch (cause) {
    if (signal?.aborted === true) throw cause
    const why = cause instanceof Error ? cause.message : ''
    const missing = /E404|404|ETARGET|No match|Unexpected end/i.test(why)
    throw new RystraError('extension.not-found', {
      detail: missing ? `the registry has no ${wanted}` : `${wanted}: ${why}`,
      cause,
      hint: 'check the name; a folder is given as a path that begins with ./'
    })
  }
  // A range may fit several versions: npm lists them, the newest last.
  const manifest = checked(Array.isArray(answer) ? answer.at(-1) : answer, wanted)
  return { name, version: manifest.version, from: 'registry', spec: `${name}@${manifest.version}`, manifest }
}

/**
 * Finds out which package a name, path or tarball means. A name is looked for in the checkout this command runs from,
 * then in the registry. Rejects with `extension.not-found`, `extension.not-an-extension` or `usage.invalid`.
 */
export const resolvePackage = async (
  text: string,
  cwd: string,
  dir: string,
  signal?: AbortSignal
): Promise<ResolvedPackage> => {
  if (isPath(text)) return ofPath(text, cwd)
  const at = text.indexOf('@', 1)
  const name = at === -1 ? text : text.slice(0, at)
  const range = at === -1 ? undefined : text.slice(at + 1)
  if (!namePattern.test(name) || name.length > 214 || (range !== undefined && !/^[\w.^~<>=*|+ -]+$/.test(range))) {
    throw new RystraError('usage.invalid', {
      detail: `expected the name of a package, a folder or a tarball, got ${JSON.stringify(text.slice(0, 80))}`
    })
  }
  const local = (await findCheckout())?.packages.get(name)
  const fits = range === undefined || (validRange(range) !== null && satisfies(local?.version ?? '', range))
  if (local !== undefined && fits) return { ...(await ofPath(local.dir, cwd)), from: 'checkout' }
  return ofRegistry(name, range, dir, signal)
}
