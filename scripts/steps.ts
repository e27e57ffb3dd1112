import { spawn } from 'node:child_process'

/** One command, and what it is for. */
export interface Step {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  /** Environment beside that of this process. */
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a command with what it prints shown as it comes. Resolves with its exit code; a signal counts as 1. */
export const run = ([file, ...args]: Step['command'], env: Step['env'] = {}): Promise<number> =>
  new Promise((resolve) => {
    // npm puts node_modules/.bin on the PATH of every script.
    const child = spawn(file, args, {
      stdio: 'inherit',
      shell: process.platform === 'win32',
      env: { ...process.env, ...env }
    })
    child.once('error', (error) => {
      console.error(error.message)
      resolve(1)
    })
    child.once('exit', (code) => resolve(code ?? 1))
  })

/** Runs all steps in turn, also after one that failed, so that one run shows everything. Resolves with how many failed. */
export const runAll = async (steps: readonly Step[]): Promise<number> => {
  const results: string[] = []
  let failed = 0
  for (const { name, command, env } of steps) {
    console.log(`\n▶ ${name}: ${command.join(' ')}`)
    const start = performance.now()
    const code = await run(command, env)
    if (code !== 0) failed++
    results.push(`${code === 0 ? '✔' : '✖'} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
  }
  console.log(`\n${results.join('\n')}`)
  return failed
}
