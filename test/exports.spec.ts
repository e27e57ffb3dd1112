import { expect } from 'chai'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { root, sourceFiles, workspaces } from './workspaces.js'

/** What programs and authors of extensions import: their names need no user within the repository. */
const open = ['model', 'plugin', 'rpc', 'client', 'server', 'testkit']
const packages = workspaces()
const inner = packages.filter(({ group, folder }) => group === 'framework' && !open.includes(folder))

const clause = /(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s+from\s+'@rystra\/([\w-]+)'/g

const scripts = (dir: string): string[] =>
  readdirSync(path.join(root, dir), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => path.join(root, dir, name))

/** Names of a list between braces, as the package has them. */
const namesIn = (list: string): string[] =>
  list
    .split(',')
    .map(
      (each) =>
        each
          .trim()
          .replace(/^type /, '')
          .split(' as ')[0] as string
    )
    .filter((name) => name !== '')

/** By package: the names that files outside of it import. */
const imported = new Map<string, Set<string>>()
const dirs = [...packages.map(({ dir }) => dir), path.join(root, 'test'), path.join(root, 'scripts')]
for (const dir of dirs) {
  for (const file of [...sourceFiles(dir), ...(dir === path.join(root, 'scripts') ? scripts('scripts') : [])]) {
    for (const [, list = '', name = ''] of readFileSync(file, 'utf8').matchAll(clause)) {
      if (dir === path.join(root, 'framework', name)) continue
      const names = imported.get(name) ?? new Set()
      imported.set(name, names)
      for (const each of namesIn(list)) names.add(each)
    }
  }
}

describe('the index of a package of the framework', () => {
  for (const { folder, dir } of inner) {
    it(`exports by name, and only what others import: ${folder}`, () => {
      const index = readFileSync(path.join(dir, 'src/index.ts'), 'utf8')
      expect(index).to.not.match(/export (type )?\*/)
      const exported = [...index.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list = '']) => namesIn(list))
      expect(exported.length).to.be.above(0)
      expect(exported.filter((name) => !imported.get(folder)?.has(name))).to.deep.equal([])
    })
  }
})
