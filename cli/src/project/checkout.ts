import { fileText } from '@rystra/limits'
import { readdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../package-root.js'

/** What of a package.json this command looks at. */
export interface PackageJson {
  readonly name?: string
  readonly version?: string
  readonly description?: string
  readonly license?: string
  readonly private?: boolean
  readonly keywords?: readonly string[]
  readonly workspaces?: readonly string[]
  readonly engines?: Readonly<Record<string, string>>
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly rystra?: unknown
}

/** Reads a package.json; nothing where it is missing or cannot be read. */
export const readPackage = async (dir: string): Promise<PackageJson | undefined> => {
  try {
    const json: unknown = JSON.parse(fileText(await readFile(join(dir, 'package.json'))))
    return typeof json === 'object' && json !== null ? (json as PackageJson) : undefined
  } catch {
    return undefined
  }
}

/** A package of the checkout. */
export interface CheckoutPackage {
  readonly name: string
  readonly version: string
  readonly dir: string
}

/** A folder with the sources of Rystra, of which this command is a part. */
export interface Checkout {
  readonly dir: string
  /** By name. */
  readonly packages: ReadonlyMap<string, CheckoutPackage>
}

const workspaceName = 'rystra-workspace'

/** Folders that a pattern of `workspaces` names: a path, or a path and `/*`. */
const expand = async (root: string, pattern: string): Promise<string[]> => {
  if (!pattern.endsWith('/*')) return [join(root, pattern)]
  const parent = join(root, pattern.slice(0, -2))
  const entries = await readdir(parent, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(parent, entry.name))
}

/** The checkout this command runs from; nothing when it was installed from a registry or a tarball. */
export const findCheckout = async (from: string = packageRoot): Promise<Checkout | undefined> => {
  const dir = join(await realpath(from), '..')
  const root = await readPackage(dir)
  if (root?.name !== workspaceName) return undefined
  const dirs = (await Promise.all((root.workspaces ?? []).map((pattern) => expand(dir, pattern)))).flat()
  const packages = new Map<string, CheckoutPackage>()
  for (const at of dirs) {
    const json = await readPackage(at)
    if (json?.name !== undefined) {
      packages.set(json.name, { name: json.name, version: json.version ?? '0.0.0', dir: at })
    }
  }
  return { dir, packages }
}
