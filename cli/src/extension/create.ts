import { RystraError } from '@rystra/model'
import { mkdir, readdir, realpath, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { dependencyOn } from '../init/dependency.js'
import { packageRoot } from '../package-root.js'
import { readPackage } from '../project/checkout.js'
import { packageOf, readmeOf, sourceOf, type Template, testOf, tsconfig } from './templates.js'

/** What was made. */
export interface CreatedExtension {
  readonly name: string
  readonly package: string
  readonly dir: string
  readonly files: readonly string[]
}

const namePattern = /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/

/** `@acme/rystra-hook-acl` calls itself `acl`. */
const ownName = (name: string): string =>
  name
    .replace(/^@[^/]+\//, '')
    .replace(/^rystra-/, '')
    .replace(/^hook-(?=.)/, '')

/**
 * Writes a hook extension with a test that passes. Overwrites nothing.
 * @throws usage.invalid when the name cannot be that of a package, or the folder is not empty
 */
export const createExtension = async (
  name: string,
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
  await mkdir(join(wanted, 'src'), { recursive: true })
  await mkdir(join(wanted, 'test'))
  const dir = await realpath(wanted)
  const tools = ['@rystra/plugin', '@rystra/testkit', 'rystra']
  const template: Template = {
    package: name,
    name: ownName(name),
    devDependencies: Object.fromEntries(
      await Promise.all(tools.map(async (tool) => [tool, await dependencyOn(tool, dir)] as const))
    ),
    contracts: `^${(await readPackage(packageRoot))?.version ?? '0.1.0'}`
  }
  const files: Readonly<Record<string, string>> = {
    'package.json': packageOf(template),
    'tsconfig.json': tsconfig,
    '.gitignore': 'node_modules/\n',
    'src/index.ts': sourceOf(template),
    'test/index.spec.ts': testOf(template),
    'README.md': readmeOf(template, basename(dir))
  }
  for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text, { flag: 'wx' })
  return { name: template.name, package: name, dir, files: Object.keys(files) }
}
