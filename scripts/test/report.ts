import { missingTests } from './least.js'
import type { TestMessage } from './message.js'
import type { FileResult } from './test-process.js'

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

type Counts = Record<TestMessage['state'], number>

/** Collects the results of all processes and prints them. */
export class Report {
  readonly #total: number
  readonly #tests: TestMessage[] = []
  readonly #problems: string[] = []
  readonly #cpu = new Map<string, number>()
  #files = 0

  constructor(total: number) {
    this.#total = total
  }

  add(test: TestMessage): void {
    this.#tests.push(test)
  }

  /** Prints the line of a spec file that is done, what its process wrote, and its problems. */
  file(file: string, { output, problems, ms, cpu }: FileResult): void {
    this.#cpu.set(file, cpu)
    const tests = this.#tests.filter((test) => test.file === file)
    const count: Counts = { passed: 0, failed: 0, skipped: 0 }
    for (const { state } of tests) count[state]++
    const extra = [
      count.failed > 0 ? `${count.failed} FAILED` : '',
      count.skipped > 0 ? `${count.skipped} skipped` : ''
    ]
    const numbers = [`${count.passed} passed`, ...extra.filter((text) => text !== ''), seconds(ms)].join(', ')
    const place = `[${String(++this.#files).padStart(String(this.#total).length)}/${this.#total}]`
    console.log(`${place} ${count.failed + problems.length > 0 ? '✖' : '✔'} ${file} (${numbers})`)
    for (const { title, state } of tests) if (state === 'failed') console.log(`    ✖ ${title}`)
    this.#add(`${file}: `, output, problems)
  }

  /** Prints what a process wrote after its last spec file, and keeps its problems. */
  rest({ output, problems }: FileResult): void {
    this.#add('', output, problems)
  }

  #add(prefix: string, output: string, problems: readonly string[]): void {
    if (output.trim() !== '') console.log(output.trimEnd().replace(/^/gm, '    │ '))
    for (const problem of problems) {
      this.#problems.push(`${prefix}${problem}`)
      console.log(`    ✖ ${problem}`)
    }
  }

  /** Counts folders with fewer tests than there have to be as failures. For a run of everything. */
  complete(): void {
    this.#problems.push(...missingTests(this.#tests.map(({ file }) => file)))
  }

  /** Prints failures, the ten slowest tests, the ten files that use the most CPU, and the closing line. Returns the number of failures. */
  end(): number {
    const count = (state: TestMessage['state']): number => this.#tests.filter((test) => test.state === state).length
    for (const { file, title, state, error } of this.#tests)
      if (state === 'failed') console.log(`\n✖ ${title}\n  ${file}\n${error ?? ''}`)
    for (const problem of this.#problems) console.log(`\n✖ ${problem}`)
    const slowest = [...this.#tests].sort((a, b) => b.duration - a.duration).slice(0, 10)
    console.log('\nSlowest tests:')
    for (const { duration, title, file } of slowest)
      console.log(`  ${seconds(duration).padStart(7)}  ${title} (${file})`)
    console.log('\nMost CPU:')
    for (const [file, cpu] of [...this.#cpu].sort((a, b) => b[1] - a[1]).slice(0, Number(process.env['CPU_TOP'] ?? 10)))
      console.log(`  ${seconds(cpu).padStart(7)}  ${file}`)
    const failed = count('failed') + this.#problems.length
    console.log(`\n${count('passed')} passed, ${failed} failed, ${count('skipped')} skipped`)
    return failed
  }
}
