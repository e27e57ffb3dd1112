import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the whole repository. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** One package of the repository. */
export interface Workspace {
  readonly group: 'framework' | 'extensions' | 'cli' | 'examples'
  /** The last part of the path. */
  readonly folder: string
  readonly dir: string
  // biome-ignore lint/suspicious/noExplicitAny: a manifest as it was written, which is what is to be judged
  readonly manifest: any
}

const workspace = (group: Workspace['group'], dir: string): Workspace => ({
  group,
  folder: path.basename(dir),
  dir,
  manifest: JSON.parse(readFileSync(path.join(dir, 'package.json'), 'utf8'))
})

const inside = (group: 'framework' | 'extensions' | 'examples'): string[] =>
  existsSync(path.join(root, group))
    ? readdirSync(path.join(root, group)).map((name) => path.join(root, group, name))
    : []

/** Every package there is, as npm sees them. */
export const workspaces = (): Workspace[] =>
  [
    ...inside('framework').map((dir) => ['framework', dir] as const),
    ...inside('extensions').map((dir) => ['extensions', dir] as const),
    ['cli', path.join(root, 'cli')] as const,
    ...inside('examples').map((dir) => ['examples', dir] as const)
  ]
    .filter(([, dir]) => existsSync(path.join(dir, 'package.json')))
    .map(([group, dir]) => workspace(group, dir))

/** TypeScript files in a folder and below; none if there is no such folder. */
export const sourceFiles = (dir: string): string[] =>
  existsSync(dir)
    ? readdirSync(dir, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts') && !/(^|\/)(node_modules|dist)\//.test(name.replaceAll('\\', '/')))
        .map((name) => path.join(dir, name))
    : []
