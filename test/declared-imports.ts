import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import path from 'node:path'
import type { Workspace } from './workspaces.js'

/** What a declaration imports, also within a type. */
const imports = /(?:\bfrom\s+|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g

const importsOf = (file: string): string[] =>
  [
    ...readFileSync(file, 'utf8')
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .matchAll(imports)
  ].map(([, name = '']) => name)

/** The declarations that programs see of a package: those of its entries, and what they import. Made by `npm run build`. */
export const declarations = ({ dir, manifest }: Workspace): string[] => {
  const found = new Set<string>()
  const visit = (file: string): void => {
    if (found.has(file) || !existsSync(file)) return
    found.add(file)
    for (const name of importsOf(file))
      if (name.startsWith('.')) visit(path.resolve(path.dirname(file), name.replace(/\.js$/, '.d.ts')))
  }
  const targets: readonly ({ readonly types?: string } | string)[] = Object.values(manifest.exports ?? {})
  for (const target of targets)
    if (typeof target === 'object' && target.types !== undefined) visit(path.join(dir, target.types))
  return [...found]
}

/** Names of the packages that declarations import: `@scope/name` or `name`. */
export const declaredImports = (files: readonly string[]): Set<string> =>
  new Set(
    files
      .flatMap(importsOf)
      .filter((name) => !name.startsWith('.') && !isBuiltin(name))
      .map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'))
  )
