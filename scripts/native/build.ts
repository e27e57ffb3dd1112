/**
 * `npm run build:native`: builds the native part for the processors that a compiler is there for, into the package.
 *
 * With `--check` it builds elsewhere and compares: the same compiler makes the same bytes. It exits with 1 if they differ.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { compile, compilers, folder, version } from './compile.js'

/** Hashes of the binaries, and the compiler that made them. */
const SUMS = path.join(folder, 'prebuilds', 'SHA256SUMS')

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

const check = process.argv.includes('--check')
const dir = check ? mkdtempSync(path.join(tmpdir(), 'rystra-native-')) : path.join(folder, 'prebuilds')
const recorded = readFileSync(SUMS, { encoding: 'utf8', flag: 'a+' }).split('\n')
const sums = new Map(recorded.flatMap((line) => (line === '' ? [] : [[line.split('  ')[1] ?? '', line] as const])))

try {
  for (const [processor, compiler] of Object.entries(compilers)) {
    const name = `linux-${processor}.node`
    const made = version(compiler)
    if (made === undefined) {
      console.log(`skipped ${name}: ${compiler} is not installed`)
      continue
    }
    const file = path.join(dir, name)
    compile(compiler, file)
    const line = `${hashOf(file)}  ${name}  ${made}`
    if (!check) sums.set(name, line)
    const before = sums.get(name)
    const other = before !== undefined && before.split('  ')[2] !== made
    console.log(`${line === before ? 'same bytes' : other ? 'another compiler' : 'DIFFERENT'}: ${line}`)
    if (line !== before && !other) process.exitCode = 1
  }
  if (!check) writeFileSync(SUMS, `${[...sums.values()].sort().join('\n')}\n`)
} finally {
  if (check) rmSync(dir, { recursive: true })
}
