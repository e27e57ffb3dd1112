import { expect } from 'chai'
import { existsSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import path from 'node:path'
import { workspaces } from './workspaces.js'

/** What a declaration imports, also within a type. */
const imports = /(?:\bfrom\s+|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g

/** The declarations that programs see of a package: those of its entries, and what they import. */
const declarations = (dir: string, manifest: { exports?: Record<string, { types?: string } | string> }): string[] => {
  const found = new Set<string>()
  const visit = (file: string): void => {
    if (found.has(file) || !existsSync(file)) return
    found.add(file)
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(imports))
      if (name.startsWith('.')) visit(path.resolve(path.dirname(file), name.replace(/\.js$/, '.d.ts')))
  }
  for (const target of Object.values(manifest.exports ?? {}))
    if (typeof target === 'object' && target.types !== undefined) visit(path.join(dir, target.types))
  return [...found]
}

/** Package of a module: the first part of its name, or the first two. */
const packageOf = (name: string): string => name.split('/', name.startsWith('@') ? 2 : 1).join('/')

describe('the declarations of a package', () => {
  for (const { folder, dir, manifest, group } of workspaces()) {
    if (group === 'examples') continue
    it(`name types of its dependencies alone, which package managers without hoisting find: ${folder}`, () => {
      const files = declarations(dir, manifest)
      expect(files, 'declarations, which `npm run build` makes').to.not.be.empty
      const allowed = new Set([
        manifest.name,
        ...builtinModules,
        ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
      ])
      const foreign = files.flatMap((file) =>
        [
          ...readFileSync(file, 'utf8')
            .replace(/\/\*[\s\S]*?\*\//g, '')
            .matchAll(imports)
        ]
          .map(([, name = '']) => name)
          .filter((name) => !name.startsWith('.') && !name.startsWith('node:') && !allowed.has(packageOf(name)))
          .map((name) => `${path.relative(dir, file)}: ${name}`)
      )
      expect(foreign).to.deep.equal([])
    })
  }
})
