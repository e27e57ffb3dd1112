import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const program = fileURLToPath(new URL('index.ts', import.meta.url))

describe('random peers', () => {
  it('end no process, and leave no descriptor behind', async () => {
    // A process of its own: descriptors of other specs would be counted, too.
    const args = ['--conditions=rystra-source', '--import=tsx', program, '--seconds', '1', '--seed', '1']
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 24 })
    expect(Number(/^(\d+) cases, no fault$/m.exec(stdout)?.[1])).to.be.greaterThan(150)
  })
})
