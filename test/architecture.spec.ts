import { expect } from 'chai'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import path from 'node:path'
import ts from 'typescript'
import { declarations, declaredImports } from './declared-imports.js'
import { root, sourceFiles, type Workspace, workspaces } from './workspaces.js'

/** What each package of the framework may depend on; .dependency-cruiser.cjs holds each single import to the same table. */
const layers: Record<string, string[]> = JSON.parse(readFileSync(path.join(root, 'scripts/layers.json'), 'utf8'))
const contracts = ['model', 'bytes', 'protocol', 'address', 'limits', 'plugin', 'net', 'tls', 'udp', 'native']
const forTests = ['testkit', 'certificates']

const version: string = JSON.parse(readFileSync(path.join(root, 'lerna.json'), 'utf8')).version
const packages = workspaces()
const published = packages.filter((each) => each.group !== 'examples')

/** Names of the packages that a file imports, not of paths: `@scope/name` or `name`. */
const imported = (file: string): string[] =>
  ts
    .preProcessFile(readFileSync(file, 'utf8'))
    .importedFiles.map(({ fileName }) => fileName)
    .filter((specifier) => !/^[.#]/.test(specifier) && !isBuiltin(specifier))
    .map((specifier) =>
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/')
    )

/** Packages that test/ works with. */
const usedByTests = new Set(sourceFiles(path.join(root, 'test/e2e')).flatMap(imported))

const internal = (names: Iterable<string>): string[] =>
  [...names].filter((name) => name.startsWith('@rystra/')).map((name) => name.slice('@rystra/'.length))

const allowed = (each: Workspace): string[] =>
  each.group === 'framework' ? (layers[each.folder] ?? []) : each.group === 'extensions' ? contracts : []

describe('the house', () => {
  it('has a place in the layers for every package of the framework, and no place for one that is gone', () => {
    const folders = packages.filter((each) => each.group === 'framework').map((each) => each.folder)
    expect(folders.sort()).to.deep.equal(Object.keys(layers).sort())
  })

  it('builds every package from the root', () => {
    const references: { path: string }[] = JSON.parse(readFileSync(path.join(root, 'tsconfig.json'), 'utf8')).references
    const referenced = references.map((reference) => path.normalize(reference.path))
    const built = published.map((each) => path.relative(root, each.dir))
    expect(referenced.sort()).to.deep.equal(built.sort())
  })

  it('pins its own tools exactly', () => {
    const { devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
    for (const [name, range] of Object.entries(devDependencies)) expect(range, name).to.match(/^\d+\.\d+\.\d+$/)
  })

  it('locks the binaries of every platform, so that `npm ci` works on each, and names no registry', () => {
    const { packages: locked } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>
    }
    for (const [where, { resolved, optionalDependencies = {} }] of Object.entries(locked)) {
      expect(resolved ?? '', where).to.not.match(/^https?:/)
      for (const name of Object.keys(optionalDependencies)) {
        // The registry has none of this version: there the transport says that it cannot work, and nothing else breaks.
        if (/^@matrixai\/quic-(darwin|win32)-/.test(name)) continue
        const found = [`node_modules/${name}`, `${where}/node_modules/${name}`].some((place) => place in locked)
        expect(found, `${name}, which ${where} names`).to.equal(true)
      }
    }
  })
})

for (const each of packages) {
  const { manifest, dir } = each
  const dependencies: Record<string, string> = manifest.dependencies ?? {}
  const devDependencies: Record<string, string> = manifest.devDependencies ?? {}

  describe(path.relative(root, dir), () => {
    it('pins every dependency to one exact version', () => {
      for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies })) {
        expect(range, name).to.equal(name.startsWith('@rystra/') || name === 'rystra' ? version : range)
        expect(range, name).to.match(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
      }
    })

    it('lists what its sources and declarations import, and nothing else', () => {
      const sources = each.group === 'examples' ? sourceFiles(dir) : sourceFiles(path.join(dir, 'src'))
      const used = new Set(sources.flatMap(imported))
      // What is listed for development becomes part of the built code, which packages of the project must not: they are there once.
      const listed = Object.keys({ ...dependencies, ...devDependencies }).filter(
        (name) => each.group === 'examples' || name in dependencies || !name.startsWith('@rystra/')
      )
      for (const name of used) expect(listed, `${name} is imported`).to.include(name)
      if (each.group === 'examples' || each.group === 'cli') return
      for (const name of declaredImports(declarations(each))) used.add(name)
      for (const name of Object.keys(dependencies)) expect([...used], `${name} is listed`).to.include(name)
    })

    if (each.group === 'framework' || each.group === 'extensions') {
      it('depends only on what is below it', () => {
        for (const name of internal(Object.keys(dependencies))) expect(allowed(each), name).to.include(name)
        expect(dependencies).to.not.have.property('rystra')
      })

      it('needs nothing but the testkit, certificates and what is below it for its tests', () => {
        const tests = sourceFiles(path.join(dir, 'test')).flatMap(imported)
        for (const name of internal(tests)) expect([...allowed(each), ...forTests, each.folder], name).to.include(name)
        for (const name of internal(Object.keys(devDependencies))) {
          expect([...allowed(each), ...forTests], name).to.include(name)
        }
      })
    }

    if (each.group !== 'examples') {
      it('finds its own files from the top of src alone: its code is built into one folder', () => {
        const src = path.join(dir, 'src')
        for (const file of sourceFiles(src).filter((file) => path.dirname(file) !== src))
          expect(readFileSync(file, 'utf8'), file).to.not.match(/new URL\('[^']*', import\.meta\.url\)/)
      })

      it('refers to the packages it depends on, so that they are built before it', () => {
        const config: { references?: { path: string }[] } = JSON.parse(
          readFileSync(path.join(dir, 'tsconfig.json'), 'utf8')
        )
        const referenced = (config.references ?? []).map((reference) => path.basename(reference.path))
        expect(referenced.sort()).to.deep.equal(internal(Object.keys(dependencies)).sort())
      })

      it('has the manifest of a package that can be published', () => {
        expect(manifest).to.include({ version, license: 'MIT', type: 'module' })
        expect(manifest).to.not.have.property('private')
        expect(manifest.name).to.equal(each.group === 'cli' ? 'rystra' : `@rystra/${each.folder}`)
        expect(manifest.description).to.be.a('string').and.not.match(/\.$/)
        expect(manifest.engines).to.deep.equal({ node: '>=20.19' })
        expect(manifest.files).to.include.members(['dist', 'src'])
        if (each.group === 'extensions') expect(manifest.keywords).to.include('rystra-extension')
      })

      it('exports its sources to the checkout, and types and code to all others', () => {
        // Order counts: the first condition that holds is taken.
        expect(Object.entries(manifest.exports['.'])).to.deep.equal([
          ['rystra-source', './src/index.ts'],
          ['types', './dist/index.d.ts'],
          ['default', './dist/index.js']
        ])
        expect(manifest.exports['./package.json']).to.equal('./package.json')
      })

      it('has the scripts that all have', () => {
        expect(manifest.scripts).to.include.keys('build', 'test', 'lint', 'check')
      })

      it('is no empty shell', () => {
        const lines = sourceFiles(path.join(dir, 'src')).flatMap((file) =>
          readFileSync(file, 'utf8')
            .split('\n')
            .filter((line) => /\w/.test(line) && !/^\s*(\/?\*|\/\/|import|export \*)/.test(line))
        )
        expect(lines.length, 'lines of code').to.be.greaterThan(20)
        // Server and client are whole programs: the tests of the whole are theirs.
        if (['server', 'client'].includes(each.folder) && usedByTests.has(manifest.name)) return
        const specs = sourceFiles(path.join(dir, 'test')).filter((file) => file.endsWith('.spec.ts'))
        // A compliance kit is many cases in one call.
        const texts = specs.map((file) => readFileSync(file, 'utf8'))
        if (texts.some((text) => /\w+Kit\(/.test(text))) return
        const cases = texts.flatMap((text) => [...text.matchAll(/\bit\(/g)])
        expect(cases.length, 'tests').to.be.greaterThan(2)
      })

      it('has a README that says what it is and shows an example', () => {
        const file = path.join(dir, 'README.md')
        expect(existsSync(file), 'README.md').to.equal(true)
        const text = readFileSync(file, 'utf8')
        expect(text).to.match(/^# /)
        expect(text).to.include(manifest.name)
        expect(text).to.include('```')
      })

      it('keeps its files short and named for one thing', () => {
        for (const file of sourceFiles(path.join(dir, 'src'))) {
          const lines = readFileSync(file, 'utf8').split('\n').length
          expect(lines, path.relative(root, file)).to.be.at.most(301)
          expect(path.basename(file), 'a bag of things').to.not.match(/^(utils?|helpers?|common|misc)\.ts$/)
        }
      })
    }
  })
}

describe('the decisions', () => {
  const records = readdirSync(path.join(root, 'docs/adr')).filter((name) => /^\d{4}-/.test(name))

  it('have a number each', () => {
    const numbers = records.map((name) => name.slice(0, 4))
    expect(numbers).to.deep.equal([...new Set(numbers)])
  })

  for (const name of records) {
    it(`${name} has context, decision and consequences`, () => {
      const text = readFileSync(path.join(root, 'docs/adr', name), 'utf8')
      const heads = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1])
      expect(heads).to.include.members(['Context', 'Decision', 'Consequences'])
    })
  }
})
