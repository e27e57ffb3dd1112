import { join } from 'node:path'
import ts from 'typescript'

/**
 * The compiler as `tsc -p` runs it in a folder, in this process: declarations that several programs read are parsed once. What it makes
 * takes the `include` of a program, and answers with what the compiler says.
 */
export const compiler = (dir: string, compilerOptions: object): ((...include: string[]) => string) => {
  const parsed = new Map<string, ts.SourceFile | undefined>()
  return (...include) => {
    const { options, fileNames, errors } = ts.parseJsonConfigFileContent(
      { compilerOptions, include },
      ts.sys,
      dir,
      undefined,
      join(dir, 'tsconfig.json')
    )
    const host = ts.createCompilerHost(options)
    const { getSourceFile } = host
    host.getCurrentDirectory = () => dir
    host.getSourceFile = (file, ...rest) => {
      if (!parsed.has(file)) parsed.set(file, getSourceFile.call(host, file, ...rest))
      return parsed.get(file)
    }
    const program = ts.createProgram(fileNames, options, host)
    return ts.formatDiagnostics([...errors, ...ts.getPreEmitDiagnostics(program)], host)
  }
}
