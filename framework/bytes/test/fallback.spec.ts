import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { onreadWorks } from '../src/onread.js'

const require = createRequire(import.meta.url)

/** Specs of what reads from sockets. */
const names = ['raw-socket', 'raw-duplex', 'duplex-of', 'slabs', 'socket-reset', 'pump', 'pump-filters']

describe('reading without buffers of our own', () => {
  it('passes the same tests', async function () {
    if (process.env['RYSTRA_NO_ONREAD'] !== undefined) this.skip()
    expect(onreadWorks, 'this Node can read into buffers of ours').to.equal(true)
    const mocha = path.join(path.dirname(require.resolve('mocha/package.json')), 'bin/mocha.js')
    const specs = names.map((name) => path.join(import.meta.dirname, `${name}.spec.ts`))
    const child = spawn(
      process.execPath,
      [...process.execArgv, mocha, '--reporter=dot', '--no-config', '--timeout=120000', ...specs],
      {
        env: { ...process.env, RYSTRA_NO_ONREAD: '1' },
        stdio: ['ignore', 'pipe', 'pipe']
      }
    )
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += String(text)))
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect(code, output).to.equal(0)
    expect(output).to.match(/\d{2,} passing/)
    expect(output, 'tests of slabs have nothing to test').to.match(/pending/)
  })
})
