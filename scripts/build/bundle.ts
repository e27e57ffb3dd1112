import { type BuildOptions, build, version } from 'esbuild'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { licensesOf } from './licenses.js'
import { type Package, root } from './packages.js'

/** What a bundle was made of, and the files it is: beside the code, so that copies of `dist` bring it along. */
export interface Stamp {
  readonly inputs: string
  readonly files: readonly string[]
}

const stampFile = (dir: string): string => path.join(dir, 'dist/.bundle.json')

export const readStamp = (dir: string): Stamp | undefined => {
  try {
    return JSON.parse(readFileSync(stampFile(dir), 'utf8')) as Stamp
  } catch {
    return undefined
  }
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()

/** What every bundle depends on: how it is made, and which version of each library is in it. */
const common = (): string => {
  const hash = createHash('sha256').update(version)
  for (const file of [...filesBelow(import.meta.dirname), path.join(root, 'package-lock.json')])
    hash.update(readFileSync(file))
  return hash.digest('hex')
}

let commonInputs: string | undefined

/** By content: times of files say nothing after a checkout or a copy. */
const inputsOf = (dir: string): string => {
  commonInputs ??= common()
  const hash = createHash('sha256').update(commonInputs)
  for (const file of [path.join(dir, 'package.json'), ...filesBelow(path.join(dir, 'src'))])
    hash.update(`\0${path.relative(dir, file)}\0`).update(readFileSync(file))
  return hash.digest('hex')
}

/** Whether the code in `dist` is that of the sources. */
export const isBundled = ({ dir }: Package): boolean => {
  const stamp = readStamp(dir)
  if (stamp === undefined || stamp.inputs !== inputsOf(dir)) return false
  return stamp.files.every((file) => existsSync(path.join(dir, 'dist', file)))
}

const shared: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  metafile: true,
  sourcemap: true,
  logLevel: 'silent',
  // As in tsconfig.base.json; no file is read for it, so that the sources alone decide.
  tsconfigRaw: { compilerOptions: { target: 'ES2023', verbatimModuleSyntax: true } }
}

/** Libraries in CommonJS that became part of the code ask for modules of Node. */
const requireBanner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);"

const isNode: BuildOptions = {
  ...shared,
  platform: 'node',
  target: 'node20.19',
  splitting: true,
  // All beside each other: what finds a file of its package by `import.meta.url` is in `src` itself, one level down as well.
  chunkNames: 'chunk-[hash]',
  banner: { js: requireBanner }
}

/** oclif asks for it to compile sources of plugins; rystra has no plugins of oclif. */
const OPTIONAL = ['typescript']

const outputsOf = (dir: string, outputs: Readonly<Record<string, unknown>>): string[] =>
  Object.keys(outputs).map((file) => path.relative(path.join(dir, 'dist'), path.join(root, file)).replaceAll('\\', '/'))

/** Writes the code of a package: a file for each entry, and those that its entries and `import()` share. */
export const bundle = async ({ dir, entries, external }: Package): Promise<void> => {
  const inputs = inputsOf(dir)
  const files: string[] = []
  const made = await build({
    ...isNode,
    entryPoints: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, path.join(dir, file)])),
    external: [...external, ...OPTIONAL],
    outdir: path.join(dir, 'dist')
  })
  files.push(...outputsOf(dir, made.metafile?.outputs ?? {}))
  const page = path.join(dir, 'src/page/dashboard.ts')
  if (existsSync(page)) {
    const served = await build({
      ...shared,
      platform: 'browser',
      entryPoints: [page],
      outdir: path.join(dir, 'dist/page')
    })
    files.push(...outputsOf(dir, served.metafile?.outputs ?? {}))
  }
  const licenses = licensesOf(Object.keys(made.metafile?.inputs ?? {}))
  if (licenses !== '') {
    writeFileSync(path.join(dir, 'dist/licenses.txt'), licenses)
    files.push('licenses.txt')
  }
  const stamp: Stamp = { inputs, files: files.sort() }
  writeFileSync(stampFile(dir), `${JSON.stringify(stamp, null, 2)}\n`)
}
