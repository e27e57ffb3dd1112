import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { loopback } from '../../bench/address.js'
import { until } from '@rystra/testkit'
import { once } from 'node:events'
import type { Program, Scratch } from '../../bench/scratch.js'

const run = promisify(execFile)

/** Longer than everything takes: it is ended. */
const WRK_SECONDS = 3600

/** wrk, from its start until it is ended. */
export class Wrk {
  readonly #program: Program

  constructor(scratch: Scratch, port: number) {
    // In the words of what answered: a count alone would not say what was refused.
    const script = scratch.write(
      'report.lua',
      `local reported = 0
function response(status, headers, body)
  if status ~= 200 and reported < 20 then
    reported = reported + 1
    print(string.format('answered %d: %s', status, body:sub(1, 200):gsub('%s+', ' ')))
  end
end
`
    )
    const load = [
      '-s',
      script,
      '-t',
      '1',
      '-c',
      '8',
      '-d',
      `${WRK_SECONDS}s`,
      '--timeout',
      '20s',
      '-H',
      'Host: web.example.org'
    ]
    this.#program = scratch.start('wrk', [...load, `http://${loopback}:${port}/`])
  }

  /** It reports when it is interrupted. */
  async end(): Promise<{ readonly requests: number; readonly errors: string }> {
    const { child } = this.#program
    const exited = once(child, 'close')
    child.kill('SIGINT')
    await exited
    const said = this.#program.said()
    const requests = Number(/(\d+) requests in/.exec(said)?.[1] ?? 0)
    const errors = said.split('\n').filter((line) => /Socket errors|Non-2xx|^answered/.test(line))
    return { requests, errors: requests === 0 ? said : errors.map((line) => line.trim()).join('; ') }
  }
}

/** What `-J` writes, also with an exit code of 1. */
interface Report {
  readonly end?: { readonly sum_received?: { readonly bytes: number } }
  readonly error?: string
}

/** The error in the words of iperf3, which writes it to its standard output. */
const ownError = ({ stdout = '', message }: Error & { readonly stdout?: string }): string => {
  try {
    return (JSON.parse(stdout) as Report).error ?? message
  } catch {
    return `${message.slice(0, 300)} ${stdout.slice(0, 300)}`.trim()
  }
}

/** Milliseconds for iperf3's server to end a run: it still reads what the client has sent last. */
const NEXT_RUN_MS = 60_000

/** iperf3 through a tcp proxy, one run after the other, at a pace that leaves the processor to the reloads. */
export class Iperf {
  readonly failures: string[] = []
  readonly #server: Program
  #runs = 0
  #bytes = 0
  #over = false
  readonly #running: Promise<void>

  constructor(scratch: Scratch, port: { readonly service: number; readonly public: number }) {
    this.#server = scratch.start('iperf3', ['-s', '-B', loopback, '-p', String(port.service), '--forceflush'])
    this.#running = this.#run(port.public)
  }

  async #run(port: number): Promise<void> {
    while (!this.#over) {
      try {
        // It refuses a client until it has read the end of the run before, for which the client does not wait.
        await until(() => this.#listened() > this.#runs, 'iperf3 to listen again', NEXT_RUN_MS)
        const args = ['-c', loopback, '-p', String(port), '-t', '5', '-b', '100M', '-J']
        const { stdout } = await run('iperf3', args, { maxBuffer: 2 ** 24 })
        const { end, error } = JSON.parse(stdout) as Report
        if (end?.sum_received === undefined) throw new Error(error ?? stdout)
        this.#bytes += end.sum_received.bytes
        this.#runs += 1
      } catch (error) {
        const own = ownError(error as Error & { readonly stdout?: string })
        this.failures.push(
          `run ${this.#runs + 1}: ${own}; its server: ${this.#server.said().trim().split('\n').at(-1)}`
        )
        return
      }
    }
  }

  /** Number of the run that its server listens for, the first being 1. */
  #listened(): number {
    return Number([...this.#server.said().matchAll(/listening on \d+ \(test #(\d+)\)/g)].at(-1)?.[1] ?? 0)
  }

  async end(): Promise<void> {
    this.#over = true
    await this.#running
  }

  text(): string {
    const done = `${this.#runs} runs, ${(this.#bytes / 2 ** 20).toFixed(0)} MiB`
    return this.failures.length === 0 ? done : `${done}; ${this.failures.join('; ')}`
  }
}
