import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { folderOf } from './least.js'

/** Milliseconds that each spec file took when it last ran here. Used for the order only. */
export type Times = Record<string, number>

const FILE = 'node_modules/.cache/rystra/test-times.json'

/** Times of earlier runs; none in a fresh clone. */
export const readTimes = (): Times => {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8')) as Times
  } catch {
    return {}
  }
}

export const writeTimes = (times: Times): void => {
  mkdirSync(dirname(FILE), { recursive: true })
  writeFileSync(FILE, JSON.stringify(times))
}

/** Time assumed for a spec file that did not run here yet. The slow ones start processes, most of them of the command. */
const unknownMs = (file: string): number => (/^cli\/test\/e2e\//.test(file) ? 30_000 : /^cli\//.test(file) ? 5000 : 500)

/** The order of files that take less hardly changes when the last process ends. */
const SHORT_MS = 1500

/** Spec files that are still to be run. */
export class SpecQueue {
  readonly #files: string[]
  readonly #ms: (file: string) => number

  constructor(files: readonly string[], times: Times) {
    this.#ms = (file) => times[file] ?? unknownMs(file)
    this.#files = files.toSorted((a, b) => this.#ms(b) - this.#ms(a))
  }

  /**
   * The file that takes longest, so that all processes end at about the same time. Of short ones, one from the folder of `last`, which
   * this process ran before: it has loaded most modules of it.
   */
  next(last?: string): string | undefined {
    const [first] = this.#files
    if (first === undefined) return undefined
    const same =
      last === undefined || this.#ms(first) > SHORT_MS
        ? -1
        : this.#files.findIndex((file) => folderOf(file) === folderOf(last))
    return this.#files.splice(Math.max(0, same), 1)[0]
  }
}
