import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pages } from './markdown.js'
import { root } from './workspaces.js'

const page = pages().find(({ file }) => file === 'docs/guide/rpc.md')
const blocks = page?.blocks ?? []

/** Each program with the block of text behind it: what it prints. */
const programs = blocks.flatMap((block, index) => {
  const next = blocks[index + 1]
  return block.language === 'ts' && next?.language === 'text' ? [{ program: block.text, output: next.text }] : []
})

describe('the guide to RPC', () => {
  const cache = path.join(root, 'node_modules/.cache/rystra')
  let dir = ''

  before(() => {
    mkdirSync(cache, { recursive: true })
    dir = mkdtempSync(path.join(cache, 'rpc-guide-'))
  })
  after(() => rmSync(dir, { recursive: true, force: true }))

  it('has programs that print what it says', async () => {
    expect(programs.length).to.equal(5)
    const files = programs.map(({ program }, index) => {
      const file = path.join(dir, `program-${index}.mts`)
      writeFileSync(file, program)
      return file
    })
    // One after the other in one process, which loads the library once.
    const main = files.map((file) => `console.log('#')\nawait import(${JSON.stringify(file)})\n`).join('')
    writeFileSync(path.join(dir, 'main.mts'), main)
    const child = spawn(process.execPath, ['--import=tsx', path.join(dir, 'main.mts')], { cwd: root })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    const [code] = await once(child, 'close')
    expect(code, err).to.equal(0)
    expect(out.split('#\n').slice(1)).to.deep.equal(programs.map(({ output }) => output))
    expect(err).to.equal('')
  })
})
