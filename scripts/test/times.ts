import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

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

/** Spec files, those that take longest first, so that all processes end at about the same time. */
export const slowestFirst = (files: readonly string[], times: Times): string[] => {
  const ms = (file: string): number => times[file] ?? unknownMs(file)
  return files.toSorted((a, b) => ms(b) - ms(a))
}
