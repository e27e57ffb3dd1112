import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Folders with spec files. */
const FOLDERS = ['framework', 'extensions', 'cli/test', 'examples', 'test']

/** Options of mocha that are followed by a value, which is no path even when a file has its name. */
const WITH_VALUE = new Set([
  '-g',
  '--grep',
  '-f',
  '--fgrep',
  '-t',
  '--timeout',
  '-s',
  '--slow',
  '--retries',
  '-r',
  '--require'
])

const specsIn = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return ['node_modules', 'dist', 'src'].includes(entry.name) ? [] : specsIn(path)
    return entry.name.endsWith('.spec.ts') ? [path] : []
  })

/** Spec files and folders of the command line, and the rest of it, which is for mocha. Without paths: every spec file. */
export const readArguments = (argv: readonly string[]): { files: string[]; options: string[]; whole: boolean } => {
  const paths: string[] = []
  const options: string[] = []
  for (const [index, word] of argv.entries()) {
    const isValue = WITH_VALUE.has(argv[index - 1] ?? '')
    if (!isValue && statSync(word, { throwIfNoEntry: false }) !== undefined) paths.push(word)
    else options.push(word)
  }
  const files = (paths.length > 0 ? paths : FOLDERS).flatMap((path) =>
    statSync(path).isDirectory() ? specsIn(path) : [join(path)]
  )
  return { files: [...new Set(files)].sort(), options, whole: argv.length === 0 }
}
