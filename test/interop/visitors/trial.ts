import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { which } from '../../bench/peer.js'
import type { Program, Scratch } from '../../bench/scratch.js'

/** What programs say: at most 64 MiB of it. */
export const run = (file: string, args: readonly string[], options: { timeout?: number; cwd?: string } = {}) =>
  promisify(execFile)(file, args, { maxBuffer: 64 * 1024 * 1024, timeout: 120_000, ...options })

/** How a program ended that may fail: its code, and all it said. */
export const outcome = async (
  file: string,
  args: readonly string[],
  timeout = 60_000
): Promise<{ code: number; stdout: string; stderr: string }> =>
  run(file, args, { timeout }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout = '', stderr = '' }: { code: unknown; stdout?: string; stderr?: string }) => ({
      code: typeof code === 'number' ? code : -1,
      stdout,
      stderr
    })
  )

export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what.slice(0, 2000))
}

interface Row {
  readonly trial: string
  readonly what: string
  readonly mark: 'ok' | 'FAIL' | 'SKIP'
  readonly result: string
}

/** What was found, said at once and again in a table at the end. */
export class Report {
  readonly #rows: Row[] = []
  #ends: readonly Program[] = []
  #trial = ''

  get failed(): boolean {
    return this.#rows.some(({ mark }) => mark === 'FAIL')
  }

  begin(trial: string): void {
    this.#trial = trial
    this.#ends = []
  }

  /** The ends of the tunnel that is used now: what they said last is shown beside a failure. */
  watch(...ends: Program[]): void {
    this.#ends = ends
  }

  /** Does what answers with a result or throws; in both cases the next one has its turn. */
  async check(what: string, does: () => Promise<string>): Promise<void> {
    try {
      this.#add('ok', what, await does())
    } catch (error) {
      this.#add('FAIL', what, (error as Error).message)
      for (const { child, pid, said } of this.#ends) {
        const { spawnargs, exitCode, signalCode } = child
        console.log(
          `--- ${spawnargs.slice(2).join(' ')} (${pid}, ${exitCode ?? signalCode ?? 'runs'}):\n${said()}\n---`
        )
      }
    }
  }

  skip(what: string, why: string): void {
    this.#add('SKIP', what, why)
  }

  /** Whether all programs are there; those that are not are named. */
  has(what: string, ...programs: string[]): boolean {
    const missing = programs.filter((program) => which(program) === undefined)
    if (missing.length > 0) this.skip(what, `${missing.join(' and ')} not found`)
    return missing.length === 0
  }

  table(): string {
    const wide = (of: (row: Row) => string): number => Math.max(...this.#rows.map((row) => of(row).length))
    const [trials, whats] = [wide(({ trial }) => trial), wide(({ what }) => what)]
    return this.#rows
      .map(({ mark, trial, what, result }) => {
        const [first = ''] = result.split('\n')
        return `${mark.padEnd(4)} ${trial.padEnd(trials)}  ${what.padEnd(whats)}  ${first}`
      })
      .join('\n')
  }

  #add(mark: Row['mark'], what: string, result: string): void {
    this.#rows.push({ trial: this.#trial, what, mark, result })
    console.log(`${mark.padEnd(4)} ${this.#trial}: ${what}: ${result}`)
  }
}

/** Some checks that share a tunnel. */
export interface Trial {
  readonly name: string
  /** Without these there is nothing to check. */
  readonly programs: readonly string[]
  /** Everything that is started ends with the scratch. Throws when the tunnel does not come up. */
  use(scratch: Scratch, report: Report): Promise<void>
}
