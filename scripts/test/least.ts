import { readFileSync } from 'node:fs'

const FILE = 'scripts/test/least.json'

/** `framework/bytes`, `cli`, `test`: the folder whose tests are counted together. */
export const folderOf = (file: string): string =>
  file
    .split('/')
    .slice(0, /^(framework|extensions)\//.test(file) ? 2 : 1)
    .join('/')

/** Folders that have fewer tests than scripts/test/least.json says: tests that are no longer found fail nothing by themselves. */
export const missingTests = (files: readonly string[]): string[] => {
  const least = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, number>
  const found = new Map<string, number>()
  for (const file of files) found.set(folderOf(file), (found.get(folderOf(file)) ?? 0) + 1)
  return Object.entries(least)
    .filter(([folder, count]) => (found.get(folder) ?? 0) < count)
    .map(([folder, count]) => `${folder} has ${found.get(folder) ?? 0} tests, expected at least ${count} (${FILE})`)
}
