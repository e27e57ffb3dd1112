/** Holds code, messages and pages to docs/glossary.md. A folder with a file `.unswept` is not held to it yet. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { findBanned } from './words/find.js'
import { bannedWords } from './words/glossary.js'

const glossary = 'docs/glossary.md'
const banned = bannedWords(readFileSync(glossary, 'utf8'))
/** The list itself, and the test that has to name what it bans. */
const exempt = ['docs/glossary.md', 'test/words.spec.ts']
const patterns = ['*.ts', '*.js', '*.cjs', '*.mjs', '*.md', '*.yaml', '*.html', '*package.json']

/** The folder of a file for which `.unswept` speaks: `framework/net`, `docs`, `cli`. */
const areaOf = (file: string): string => {
  const [first = '', second = ''] = file.split('/')
  return ['framework', 'extensions', 'examples'].includes(first) ? `${first}/${second}` : first
}

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...patterns], {
  encoding: 'utf8'
})
  .split('\n')
  .filter((file) => file !== '' && !exempt.includes(file) && !file.startsWith('scripts/words') && existsSync(file))

const found = new Map<string, string[]>()
for (const file of files) {
  for (const { line, word, instead } of findBanned(file, readFileSync(file, 'utf8'), banned)) {
    const area = areaOf(file)
    found.set(area, [...(found.get(area) ?? []), `${file}:${line}: "${word}": ${instead}`])
  }
}

/** With `--all` the findings of all folders are shown, with names of folders those of these. */
const folders = process.argv.slice(2)
const unswept: string[] = []
for (const [area, lines] of [...found].sort()) {
  const waits = existsSync(path.join(area, '.unswept'))
  if (waits) unswept.push(`${area} (${lines.length})`)
  else process.exitCode = 1
  const shown = folders.length === 0 ? !waits : folders.includes('--all') || folders.includes(area)
  if (shown) console.log(lines.join('\n'))
}
if (process.exitCode === 1) console.log(`\nUse the words of ${glossary}.`)
if (unswept.length > 0) console.log(`not swept yet: ${unswept.join(', ')}`)
