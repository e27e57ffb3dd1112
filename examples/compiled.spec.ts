import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { text } from 'node:stream/consumers'

const here = import.meta.dirname
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')

describe('the examples', () => {
  it('compile as packages of their own', async () => {
    const projects = readdirSync(here)
      .map((name) => path.join(here, name))
      .filter((dir) => existsSync(path.join(dir, 'tsconfig.json')))
    expect(projects).to.have.length.greaterThan(2)
    const compiler = spawn(process.execPath, [tsc, '-b', ...projects])
    const [said, [code]] = await Promise.all([text(compiler.stdout), once(compiler, 'exit')])
    expect(said, 'what the compiler says').to.equal('')
    expect(code, 'exit code').to.equal(0)
  }).timeout(120_000)
})
