import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { root } from './packages.js'

const tsc = path.join(root, 'node_modules/.bin/tsc')

/** Checks the types of every package and writes its declarations. Rejects with what the compiler says. */
export const compile = async (say: (line: string) => void): Promise<void> => {
  const child = spawn(tsc, ['-b', '--verbose', '--pretty', 'false'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32'
  })
  const errors: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [, building] = /Building project '(.+)\/tsconfig\.json'/.exec(line) ?? []
    if (building !== undefined) say(`checking ${path.relative(root, path.resolve(root, building))}`)
    if (line.includes('error TS')) errors.push(line)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(errors.length === 0 ? `tsc exited with ${code}` : errors.join('\n'))
}
