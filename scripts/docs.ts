/** `npm run docs` writes the generated pages; with `--check` it only says whether they are fresh. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pages, present, rendered } from './docs/pages.js'

const check = process.argv.includes('--check')
let stale = 0
for (const page of await pages()) {
  const text = await rendered(page)
  if (text === present(page)) continue
  if (check) {
    stale++
    console.error(`${page.file} is stale: run \`npm run docs\``)
  } else {
    mkdirSync(path.dirname(page.file), { recursive: true })
    writeFileSync(page.file, text)
    console.log(`wrote ${page.file}`)
  }
}
process.exitCode = stale === 0 ? 0 : 1
