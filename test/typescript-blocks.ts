import path from 'node:path'
import ts from 'typescript'
import type { Block } from './markdown.js'
import { root } from './workspaces.js'

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
  const host = ts.createCompilerHost(compilerOptions)
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
