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

/** Time assumed for a spec file that did not run here yet. */
const UNKNOWN_MS = 1000
/** A process runs files of one package up to this time: it loads their modules once, and the last ones to end are not long. */
const MAX_BATCH_MS = 10_000

const packageOf = (file: string): string =>
  file
    .split('/')
    .slice(0, file.startsWith('test/') ? 1 : 2)
    .join('/')

/** Spec files of one package for one process, the longest batch first. */
export const batches = (files: readonly string[], times: Times): string[][] => {
  const found: { name: string; files: string[]; ms: number }[] = []
  for (const file of files) {
    const ms = times[file] ?? UNKNOWN_MS
    const name = packageOf(file)
    const open = found.find((batch) => batch.name === name && batch.ms + ms <= MAX_BATCH_MS)
    if (open === undefined) found.push({ name, files: [file], ms })
    else {
      open.files.push(file)
      open.ms += ms
    }
  }
  return found.sort((a, b) => b.ms - a.ms).map((batch) => batch.files)
}
