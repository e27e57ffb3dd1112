import { expect } from 'chai'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

const here = import.meta.dirname

/** The files and options of a package, as its own tsconfig.json says. */
const projectOf = (dir: string): ts.ParsedCommandLine => {
  const file = path.join(dir, 'tsconfig.json')
  return ts.parseJsonConfigFileContent(ts.readConfigFile(file, ts.sys.readFile).config, ts.sys, dir, undefined, file)
}

describe('the examples', () => {
  it('compile with the declarations that were built, as packages of their own do', () => {
    const projects = readdirSync(here)
      .map((name) => path.join(here, name))
      .filter((dir) => existsSync(path.join(dir, 'tsconfig.json')))
      .map(projectOf)
    expect(projects).to.have.length.greaterThan(2)
    const [first, ...others] = projects.map(({ options }) => {
      const { outDir, rootDir, configFilePath, tsBuildInfoFile, pathsBasePath, ...rest } = options
      return rest
    })
    for (const options of others) expect(options, 'one program has the options of all').to.deep.equal(first)
    // One program reads the types of libraries once for all of them.
    const options: ts.CompilerOptions = { ...first, noEmit: true, composite: false, incremental: false }
    const program = ts.createProgram(
      projects.flatMap(({ fileNames }) => fileNames),
      options
    )
    const found = ts.getPreEmitDiagnostics(program)
    const host = {
      getCanonicalFileName: (name: string) => name,
      getCurrentDirectory: () => here,
      getNewLine: () => '\n'
    }
    expect(ts.formatDiagnostics(found, host), 'what the compiler says').to.equal('')
  }).timeout(120_000)
})
