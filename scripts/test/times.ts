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
const UNKNOWN_MS = 2500
/** A process runs files up to this time: modules are loaded once for all of them, and no process ends long after the others. */
const MAX_BATCH_MS = 15_000

/** Spec files for one process each, neighbours together, the longest batch first. */
export const batches = (files: readonly string[], times: Times): string[][] => {
  const found: { files: string[]; ms: number }[] = []
  for (const file of files) {
    const ms = times[file] ?? UNKNOWN_MS
    const last = found.at(-1)
    if (last === undefined || last.ms + ms > MAX_BATCH_MS) found.push({ files: [file], ms })
    else {
      last.files.push(file)
      last.ms += ms
    }
  }
  return found.sort((a, b) => b.ms - a.ms).map((batch) => batch.files)
}
