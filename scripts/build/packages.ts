import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** A package whose code is built. */
export interface Package {
  readonly name: string
  readonly dir: string
  /** Source files by the name of what they become, below `dist` and without `.js`. */
  readonly entries: Readonly<Record<string, string>>
  /** What is imported when it runs. Everything else that it imports becomes part of its code. */
  readonly external: readonly string[]
}

type Targets = Readonly<Record<string, string | Readonly<Record<string, string>>>>

interface Manifest {
  readonly name: string
  readonly exports: Targets
  readonly imports?: Targets
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/**
 * Its 249 modules took a sixth of a start. It stays a dependency of the package, since declarations name its types.
 */
const INLINED = new Set(['@sinclair/typebox'])

const entriesOf = ({ exports, imports = {} }: Manifest): Record<string, string> =>
  Object.fromEntries(
    [...Object.values(exports), ...Object.values(imports)].flatMap((target) => {
      if (typeof target === 'string') return []
      const { 'rystra-source': source, default: built } = target
      const [, name] = /^\.\/dist\/(.+)\.js$/.exec(built ?? '') ?? []
      return source === undefined || name === undefined ? [] : [[name, source]]
    })
  )

const packageIn = (dir: string): Package => {
  const manifest = JSON.parse(readFileSync(path.join(dir, 'package.json'), 'utf8')) as Manifest
  const external = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  return {
    name: manifest.name,
    dir,
    entries: entriesOf(manifest),
    external: external.filter((name) => !INLINED.has(name))
  }
}

/** Every package that is published. */
export const packages = (): Package[] =>
  ['framework', 'extensions']
    .flatMap((group) => readdirSync(path.join(root, group)).map((name) => path.join(root, group, name)))
    .concat(path.join(root, 'cli'))
    .filter((dir) => existsSync(path.join(dir, 'package.json')))
    .map(packageIn)
