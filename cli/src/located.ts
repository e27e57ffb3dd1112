import { ConfigError, type Problem } from '@rystra/config'
import { fileText, readBoundedSync } from '@rystra/limits'
import { type Lines, linesOfToml, linesOfYaml } from './import/locate.js'

/** As large as a configuration may be. */
const MAX_FILE_BYTES = 1024 * 1024

const linesOf = (file: string): Lines => {
  const isCode = /\.(ts|js|mjs)$/.test(file)
  const text = isCode ? '' : fileText(readBoundedSync(file, MAX_FILE_BYTES))
  return file.endsWith('.toml') ? linesOfToml(text) : linesOfYaml(text)
}

/** The line of a path, or of what it is in, where the path itself is not written. */
const lineAt = (path: string, lines: Lines, prefix: string): number | undefined => {
  for (let at = `${prefix}${path}`; at !== ''; ) {
    const line = lines.get(at)
    if (line !== undefined) return line
    const end = Math.max(at.lastIndexOf('.'), at.lastIndexOf('['))
    at = end < 0 ? '' : at.slice(0, end)
  }
  return undefined
}

/** The problems with the lines of a file that they are in, where it can be read. */
export const located = (problems: readonly Problem[], file: string | undefined): readonly Problem[] => {
  if (file === undefined) return problems
  try {
    const lines = linesOf(file)
    const prefix = file.endsWith('package.json') ? 'rystra.' : ''
    return problems.map((problem) => {
      const line = lineAt(problem.path, lines, prefix)
      return line === undefined || problem.path === '' ? problem : { ...problem, line }
    })
  } catch {
    // Lines are a help: the problems are known without them.
    return problems
  }
}

/** An error of values, with the line of each problem. */
export const withLines = (error: ConfigError): ConfigError => {
  if (error.problems.some(({ line }) => line !== undefined)) return error
  const problems = located(error.problems, error.file)
  return problems.some(({ line }) => line !== undefined) ? new ConfigError(error.code, problems, error.file) : error
}
