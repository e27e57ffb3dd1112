import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const bin = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const tsx = import.meta.resolve('tsx')

/**
 * The command from its sources, which needs no build; with RYSTRA_TEST_BUILT=1 as it was built, which is faster. Without the optimising
 * compiler a process of a second or two needs a third less of the processor.
 */
export const nodeArgs =
  process.env['RYSTRA_TEST_BUILT'] === '1' ? ['--no-opt'] : ['--no-opt', '--conditions=rystra-source', '--import', tsx]

/** Tokens and certificates that servers of a test file keep. */
const state = join(tmpdir(), `rystra-state-${process.pid}`)
process.once('exit', () => rmSync(state, { recursive: true, force: true }))

/** An environment in which nothing of the outer npm, of mocha or of a developer's shell is left. */
export const cleanEnv = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(RYSTRA_|DEBUG$|NODE_OPTIONS$|npm_(?!config_(registry|cache|userconfig)))/.test(name)
    )
  )
  return { ...env, NO_COLOR: '1', XDG_STATE_HOME: state, ...extra }
}

export interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface SpawnOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** Descriptor for its stderr, instead of collecting it. */
  readonly stderr?: number
  /** Arguments of node. @default none */
  readonly nodeArgs?: readonly string[]
}

const start = (args: readonly string[], { cwd, env, stderr, nodeArgs: more = [] }: SpawnOptions): ChildProcess =>
  spawn(process.execPath, [...more, ...nodeArgs, bin, ...args], {
    cwd,
    env: cleanEnv(env),
    stdio: ['ignore', 'pipe', stderr ?? 'pipe']
  })

const collect = (child: ChildProcess): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    let out = ''
    let err = ''
    child.stdout?.on('data', (chunk) => {
      out += String(chunk)
    })
    child.stderr?.on('data', (chunk) => {
      err += String(chunk)
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, out, err }))
  })

/** Runs it to its end. */
export const rystra = (args: readonly string[], options: SpawnOptions): Promise<Outcome> =>
  collect(start(args, options))

export interface Event {
  readonly event: string
  readonly [field: string]: unknown
}

/** A command that goes on, with its events. */
export class Running {
  readonly child: ChildProcess
  readonly done: Promise<Outcome>
  readonly events: Event[] = []
  readonly lines: string[] = []
  readonly #errorLines: string[] = []
  #waiting: (() => void)[] = []
  #over = false

  constructor(args: readonly string[], options: SpawnOptions) {
    this.child = start(args, options)
    this.done = collect(this.child)
    const json = args.includes('--json')
    if (this.child.stdout === null) throw new Error('no stdout')
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.lines.push(line)
      if (json) this.events.push(JSON.parse(line) as Event)
      this.#wake()
    })
    if (this.child.stderr !== null)
      createInterface({ input: this.child.stderr }).on('line', (line) => {
        this.#errorLines.push(line)
        this.#wake()
      })
    void this.done.then(() => {
      this.#over = true
      this.#wake()
    })
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async #until<T>(find: () => T | undefined, what: string): Promise<T> {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (this.#over) {
        const { code, out, err } = await this.done
        throw new Error(`it ended with ${code} before ${what}\n${out}\n${err}`)
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** The first event of this name, past or to come, that fits. */
  event(name: string, fits: (event: Event) => boolean = () => true): Promise<Event> {
    return this.#until(() => this.events.find((event) => event.event === name && fits(event)), `the event ${name}`)
  }

  /** The first line on stderr that matches. */
  errorLine(pattern: RegExp): Promise<string> {
    return this.#until(() => this.#errorLines.find((line) => pattern.test(line)), `a line ${pattern} on stderr`)
  }

  /** The first line that matches. */
  line(pattern: RegExp): Promise<string> {
    return this.#until(() => this.lines.find((line) => pattern.test(line)), `a line ${pattern}`)
  }

  signal(name: NodeJS.Signals): Promise<Outcome> {
    this.child.kill(name)
    return this.done
  }
}
