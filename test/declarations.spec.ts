import { expect } from 'chai'
import { declarations, declaredImports } from './declared-imports.js'
import { workspaces } from './workspaces.js'

describe('the declarations of a package', () => {
  for (const each of workspaces().filter(({ group }) => group !== 'examples')) {
    it(`name types of its dependencies alone, which package managers without hoisting find: ${each.folder}`, () => {
      const files = declarations(each)
      expect(files, 'declarations, which `npm run build` makes').to.not.be.empty
      const { name, dependencies, peerDependencies } = each.manifest
      const found = [name, ...Object.keys({ ...dependencies, ...peerDependencies })]
      for (const used of declaredImports(files)) expect(found, `${used} is imported`).to.include(used)
    })
  }
})
