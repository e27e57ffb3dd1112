import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const rystra = fileURLToPath(new URL('../../cli/bin/run.js', import.meta.url))
const EVENT_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 5000

/** One line of `--json`. */
export interface EventLine {
  readonly event: string
  readonly [field: string]: unknown
}

/** A `rystra` process, and its events. */
export class End {
  /** For messages. */
  readonly name: string
  readonly #child: ChildProcess
  readonly #events: EventLine[] = []
  readonly #waiting = new Set<() => void>()
  #log = ''
  #gone: string | undefined

  /** `cwd` should be an empty folder: no configuration is to be found by chance. */
  constructor(args: readonly string[], cwd: string) {
    this.name = `rystra ${args[0]}`
    this.#child = spawn(process.execPath, [rystra, ...args, '--json'], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C comes to us alone, and we pass it on in order.
      detached: true
    })
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-4000)
    })
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        if (line.startsWith('{')) this.#events.push(JSON.parse(line) as EventLine)
        this.#wake()
      })
    }
    this.#child.once('error', (error) => this.#end(error.message))
    // `close` comes when all it said has been read.
    this.#child.once('close', (code, signal) => this.#end(`it ended with ${signal ?? `exit code ${code}`}`))
  }

  /** The reason of its end, once it has ended. */
  get gone(): string | undefined {
    return this.#gone
  }

  /** The first event of that name. Rejects when the process ends, refuses, or says nothing in time. */
  async event(name: string): Promise<EventLine> {
    const end = performance.now() + EVENT_TIMEOUT_MS
    for (;;) {
      const found = this.#events.find(({ event }) => event === name)
      if (found !== undefined) return found
      const refused = this.#events.find(({ event }) => event === 'refused' || event === 'error')
      if (refused !== undefined) throw new Error(`${this.name} reported ${JSON.stringify(refused)}`)
      if (this.#gone !== undefined) throw new Error(`${this.name}: ${this.#gone}\n${this.#log.trim()}`)
      const left = end - performance.now()
      if (left <= 0)
        throw new Error(`${this.name} did not report “${name}” in ${EVENT_TIMEOUT_MS / 1000} s\n${this.#log.trim()}`)
      await this.#news(left)
    }
  }

  /** Asks it to end as Ctrl-C would, and makes it if it does not. Resolves with its exit code. */
  async stop(): Promise<number | null> {
    if (this.#gone === undefined) {
      this.#child.kill('SIGINT')
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
      await once(this.#child, 'close')
      clearTimeout(timer)
    }
    return this.#child.exitCode
  }

  #news(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, milliseconds)
      this.#waiting.add(wake)
    })
  }

  #end(reason: string): void {
    this.#gone ??= reason
    this.#wake()
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }
}
