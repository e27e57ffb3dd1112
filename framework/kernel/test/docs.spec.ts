import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hookNames } from '@rystra/plugin'
import { expect } from 'chai'
import { hooksPage } from '../scripts/hooks-doc.js'
import { hookTable } from '@rystra/plugin'

const page = readFileSync(new URL('../../../docs/reference/hooks.md', import.meta.url), 'utf8')

describe('docs/reference/hooks.md', () => {
  it('is what the table of hooks makes it; otherwise run framework/kernel/scripts/hooks-doc.ts', () => {
    expect(page).equal(hooksPage())
  })

  it('has a section for each hook, and a row for each hook is in the table', () => {
    expect(Object.keys(hookTable).sort()).deep.equal([...hookNames].sort())
    for (const name of hookNames) expect(page).include(`### ${name}\n`)
    expect([...page.matchAll(/^### (on\w+)$/gm)].map(([, name]) => name).sort()).deep.equal([...hookNames].sort())
  })

  it('has every hook in its diagram', () => {
    const diagram = /```mermaid\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
    for (const name of hookNames) expect(diagram).include(name)
  })
})

describe('the example of the README', () => {
  it('runs', async () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const source = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
    const file = new URL(`.readme-${process.pid}.ts`, import.meta.url)
    const printed: unknown[] = []
    const { log } = console
    console.log = (value: unknown) => printed.push(value)
    try {
      writeFileSync(file, source)
      await import(file.href)
    } finally {
      console.log = log
      rmSync(file, { force: true })
    }
    expect(printed).length(1)
    expect((printed[0] as { extension: string }[])[0]).include({ extension: 'closed', calls: 0 })
  })
})
