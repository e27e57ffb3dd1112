import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import type { Block } from './markdown.js'
import { root } from './workspaces.js'

/** The declarations that programs of this process read: parsed once. */
const parsed = new Map<string, ts.SourceFile | undefined>()

/** A host of the compiler that shares what it has parsed with others of the same options for the parser. */
const sharingHost = (options: ts.CompilerOptions): ts.CompilerHost => {
  const host = ts.createCompilerHost(options)
  const { getSourceFile } = host
  host.getSourceFile = (file, ...rest) => {
    if (!parsed.has(file)) parsed.set(file, getSourceFile.call(host, file, ...rest))
    return parsed.get(file)
  }
  return host
}

const configFile = path.join(root, 'tsconfig.test.json')

const options = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(configFile, ts.sys.readFile)
  const parsed = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root)
  return {
    ...parsed.options,
    incremental: false,
    // The declarations that were built are what a reader has, and are read in a fraction of the time of the sources.
    customConditions: [],
    skipLibCheck: true,
    // A block shows one thing; what it declares need not be used.
    noUnusedLocals: false,
    noUnusedParameters: false
  }
}

/** Compiles all blocks in one program, each a module of its own. The answer has a sentence for each error. */
export const compileErrors = (blocks: readonly Block[]): string[] => {
  const files = new Map(
    blocks.map((block, index) => [path.join(root, 'test', `docs-block-${index}.${block.language}`), block] as const)
  )
  const stub = path.join(root, 'test', 'docs-block-stub.ts')
  const compilerOptions = options()
  delete compilerOptions.tsBuildInfoFile
  const host = sharingHost(compilerOptions)
  const { fileExists, readFile, getSourceFile } = host
  // What a block imports by a relative path is the reader's own: its types are unknown.
  host.resolveModuleNameLiterals = (literals, from, redirected, settings, source) =>
    literals.map((literal) =>
      files.has(path.normalize(from)) && literal.text.startsWith('.')
        ? { resolvedModule: { resolvedFileName: stub, extension: ts.Extension.Ts } }
        : ts.resolveModuleName(
            literal.text,
            from,
            settings,
            host,
            undefined,
            redirected,
            ts.getModeForUsageLocation(source, literal, settings)
          )
    )
  host.fileExists = (file) => files.has(path.normalize(file)) || fileExists.call(host, file)
  host.readFile = (file) => files.get(path.normalize(file))?.text ?? readFile.call(host, file)
  host.getSourceFile = (file, version, ...rest) => {
    if (path.normalize(file) === stub) {
      return ts.createSourceFile(file, 'declare const something: any\nexport default something\n', version, true)
    }
    const block = files.get(path.normalize(file))
    return block === undefined
      ? getSourceFile.call(host, file, version, ...rest)
      : ts.createSourceFile(file, `${block.text}\nexport {}\n`, version, true)
  }
  const program = ts.createProgram([...files.keys()], compilerOptions, host)
  return [...files].flatMap(([file, block]) => {
    const source = program.getSourceFile(file)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return found.map(({ messageText, start = 0 }) => {
      const line = (source?.getLineAndCharacterOfPosition(start).line ?? 0) + 1
      return `${block.page}:${block.line + line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
    })
  })
}

/** The files and options of a package, as its own tsconfig.json says. */
const projectOf = (dir: string): ts.ParsedCommandLine => {
  const file = path.join(dir, 'tsconfig.json')
  return ts.parseJsonConfigFileContent(ts.readConfigFile(file, ts.sys.readFile).config, ts.sys, dir, undefined, file)
}

/** Compiles the examples with the declarations that were built, as packages of their own do, in one program. */
export const compileExamples = (): { projects: number; options: readonly ts.CompilerOptions[]; errors: string } => {
  const dir = path.join(root, 'examples')
  const projects = readdirSync(dir)
    .map((name) => path.join(dir, name))
    .filter((folder) => existsSync(path.join(folder, 'tsconfig.json')))
    .map(projectOf)
  const options = projects.map(
    ({ options: { outDir, rootDir, configFilePath, tsBuildInfoFile, pathsBasePath, ...rest } }) => rest
  )
  const one: ts.CompilerOptions = { ...options[0], noEmit: true, composite: false, incremental: false }
  const host = sharingHost(one)
  const files = projects.flatMap(({ fileNames }) => fileNames)
  const errors = ts.formatDiagnostics(ts.getPreEmitDiagnostics(ts.createProgram(files, one, host)), host)
  return { projects: projects.length, options, errors }
}
