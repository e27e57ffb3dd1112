import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Message, Order, TestMessage } from './message.js'

const worker = fileURLToPath(new URL('worker.ts', import.meta.url))

/** A process that reports nothing for this long hangs: each test has a shorter timeout of its own. */
const SILENCE_TIMEOUT_MS = 300_000

/** Outcome of a spec file. */
export interface FileResult {
  /** What its process wrote to stdout and stderr meanwhile. */
  readonly output: string
  /** Failures that belong to no test: a crash, handles left open, a warning. */
  readonly problems: readonly string[]
  readonly ms: number
  /** Milliseconds of CPU; 0 when its process ended before it could tell. */
  readonly cpu: number
}

/** Runs spec files in a process, one after the other; in a new one after a file that ended it. */
export class TestProcess {
  readonly #options: readonly string[]
  readonly #signal: AbortSignal
  #child: ChildProcess | undefined
  #output = ''
  #problems: string[] = []
  #onMessage: (message: Message) => void = () => {}

  /** @param options options of mocha */
  constructor(options: readonly string[], signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
  }

  async run(file: string, onTest: (test: TestMessage) => void): Promise<FileResult> {
    this.#child ??= await this.#start()
    const begin = performance.now()
    const cpu = await this.#ordered(this.#child, { kind: 'run', file }, onTest)
    return { ...this.#taken(), ms: performance.now() - begin, cpu }
  }

  /** Lets the process end by itself. Resolves with what there was besides the spec files. */
  async end(): Promise<FileResult> {
    if (this.#child !== undefined) await this.#ordered(this.#child, { kind: 'end' }, () => {})
    return { ...this.#taken(), ms: 0, cpu: 0 }
  }

  #taken(): Pick<FileResult, 'output' | 'problems'> {
    const [output, problems] = [this.#output, this.#problems]
    this.#output = ''
    this.#problems = []
    return { output, problems }
  }

  async #start(): Promise<ChildProcess> {
    const child = spawn(
      process.execPath,
      [
        '--conditions=rystra-source',
        // Each file is loaded by `import`, with every version of Node.
        '--no-experimental-require-module',
        '--import=tsx',
        worker,
        ...this.#options
      ],
      { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], signal: this.#signal, killSignal: 'SIGKILL' }
    )
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        this.#output += String(chunk)
      })
    }
    child.on('message', (message: Message) => this.#onMessage(message))
    child.on('error', ({ message }) => this.#problems.push(message))
    await Promise.race([once(child, 'message'), once(child, 'close')])
    return child
  }

  /** Gives an order, and waits until it is carried out or the process has ended. Resolves with the milliseconds of CPU it took. */
  #ordered(child: ChildProcess, order: Order, onTest: (test: TestMessage) => void): Promise<number> {
    return new Promise((resolve) => {
      let failed = 0
      const done = (cpu = 0): void => {
        clearTimeout(hang)
        child.off('close', closed)
        resolve(cpu)
      }
      const closed = (code: number | null, killed: NodeJS.Signals | null): void => {
        this.#child = undefined
        if (this.#problems.length === 0 && (order.kind === 'run' ? failed === 0 : code !== 0))
          this.#problems.push(`the process ended with ${killed ?? code}`)
        done()
      }
      const hang = setTimeout(() => {
        this.#problems.push(`no result within ${SILENCE_TIMEOUT_MS / 1000} s`)
        child.kill('SIGKILL')
      }, SILENCE_TIMEOUT_MS)
      this.#onMessage = (message) => {
        hang.refresh()
        if (message.kind === 'problem') this.#problems.push(message.text)
        else if (message.kind === 'done') done(message.cpu)
        else if (message.kind === 'test') {
          if (message.state === 'failed') failed += 1
          onTest(message)
        }
      }
      child.once('close', closed)
      if (child.exitCode === null && child.signalCode === null) child.send(order)
      else closed(child.exitCode, child.signalCode)
    })
  }
}
