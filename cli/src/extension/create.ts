import { RystraError } from '@rystra/model'
import { mkdir, readdir, realpath, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { dependencyOn } from '../init/dependency.js'
import { packageRoot } from '../package-root.js'
import { readPackage } from '../project/checkout.js'
import { type ExtensionKind, packageOf, readmeOf, sourcesOf, type Template, tsconfig } from './templates.js'

/** What was made. */
export interface CreatedExtension {
  readonly name: string
  readonly package: string
  readonly dir: string
  readonly files: readonly string[]
}

const namePattern = /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/

const own = ['auth-token', 'client', 'mux-yamux', 'plugin', 'server', 'testkit'].map((name) => `@rystra/${name}`)

/** What the tests need: of this project, and of others in the versions that this project is tested with. */
const tools: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries([...own, 'rystra'].map((name) => [name, undefined])),
  '@types/node': '20.19.0',
  tsx: '4.23.15',
  typescript: '6.0.3'
}

/** `@acme/rystra-hook-acl` calls itself `acl`, `rystra-transport-radio` calls itself `transport-radio`. */
const ownName = (name: string): string =>
  name
    .replace(/^@[^/]+\//, '')
    .replace(/^rystra-/, '')
    .replace(/^hook-(?=.)/, '')

/**
 * Writes an extension with a test that passes. Overwrites nothing.
 * @throws usage.invalid when the name cannot be that of a package, or the folder is not empty
 */
export const createExtension = async (
  name: string,
  kind: ExtensionKind,
  target: string | undefined,
  cwd: string
): Promise<CreatedExtension> => {
  if (!namePattern.test(name) || name.length > 200) {
    throw new RystraError('usage.invalid', {
      detail: `expected the name of a package, office-hours or @acme/rystra-office-hours for example, got ${JSON.stringify(name.slice(0, 80))}`
    })
  }
  const wanted = resolve(cwd, target ?? name.replace(/^@[^/]+\//, ''))
  const there = await readdir(wanted).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new RystraError('usage.invalid', {
      detail: `${wanted} is not a folder`,
      cause: error,
      hint: 'name another with --dir'
    })
  })
  if (there.length > 0) {
    throw new RystraError('usage.invalid', { detail: `${wanted} is not empty`, hint: 'name another folder with --dir' })
  }
  for (const folder of ['src', 'test']) await mkdir(join(wanted, folder), { recursive: true })
  const dir = await realpath(wanted)
  const template: Template = {
    kind,
    package: name,
    name: ownName(name),
    devDependencies: Object.fromEntries(
      await Promise.all(
        Object.entries(tools).map(async ([tool, version]) => [tool, await dependencyOn(tool, dir, version)] as const)
      )
    ),
    contracts: `^${(await readPackage(packageRoot))?.version ?? '0.1.0'}`
  }
  const files: Readonly<Record<string, string>> = {
    'package.json': packageOf(template),
    'tsconfig.json': tsconfig,
    '.gitignore': 'node_modules/\n',
    ...(await sourcesOf(template)),
    'README.md': readmeOf(template, basename(dir))
  }
  for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text, { flag: 'wx' })
  return { name: template.name, package: name, dir, files: Object.keys(files) }
}
