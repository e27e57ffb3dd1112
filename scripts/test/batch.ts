import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Message, TestMessage } from './message.js'

const mocha = join(dirname(createRequire(import.meta.url).resolve('mocha/package.json')), 'lib/cli/cli.js')
const reporter = fileURLToPath(new URL('reporter.ts', import.meta.url))

/** A process that reports nothing for this long hangs: each test has a shorter timeout of its own. */
const SILENCE_TIMEOUT_MS = 300_000

/** Outcome of a process that ran spec files. */
export interface BatchResult {
  /** What it wrote to stdout and stderr. */
  readonly output: string
  /** Failures that belong to no test: a crash, handles left open, a warning. */
  readonly problems: readonly string[]
}

/** Runs spec files in a mocha process of their own. */
export const runBatch = (
  files: readonly string[],
  options: readonly string[],
  onTest: (test: TestMessage) => void,
  signal: AbortSignal
): Promise<BatchResult> =>
  new Promise((resolve) => {
    const child: ChildProcess = spawn(
      process.execPath,
      [
        '--conditions=rystra-source',
        // Each file is loaded by `import`, with every version of Node.
        '--no-experimental-require-module',
        '--import=tsx',
        mocha,
        ...['--forbid-only', `--reporter=${reporter}`, ...options],
        ...files
      ],
      { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], signal, killSignal: 'SIGKILL' }
    )
    let output = ''
    let failed = 0
    const problems: string[] = []
    const hang = setTimeout(() => {
      problems.push(`no result within ${SILENCE_TIMEOUT_MS / 1000} s`)
      child.kill('SIGKILL')
    }, SILENCE_TIMEOUT_MS)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output += String(chunk)
      })
    }
    child.on('message', (message: Message) => {
      hang.refresh()
      if (message.kind === 'problem') problems.push(message.text)
      else {
        if (message.state === 'failed') failed++
        onTest(message)
      }
    })
    child.once('error', (error) => problems.push(error.message))
    child.once('close', (code, killed) => {
      clearTimeout(hang)
      if (problems.length === 0 && code !== 0 && failed === 0) problems.push(`the process ended with ${killed ?? code}`)
      resolve({ output, problems })
    })
  })
