import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { createInterface } from 'node:readline'

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')

/** Compiles what is not compiled yet, and says package by package what it does. Rejects when something does not compile. */
export const build = async (say: (line: string) => void): Promise<void> => {
  const child = spawn(process.execPath, [tsc, '-b', '--verbose'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const errors: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    const building = /Building project '(.+)\/tsconfig\.json'/.exec(line)
    if (building?.[1] !== undefined) say(`compiling ${path.relative(process.cwd(), path.resolve(building[1]))}`)
    if (line.includes('error TS')) errors.push(line)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`the build failed:\n${errors.join('\n')}`)
}
