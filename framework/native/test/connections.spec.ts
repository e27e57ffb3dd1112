import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { workerEnd } from './worker-end.js'
import { cleanUp, descriptors, needsNative } from './ends.js'

const fixture = fileURLToPath(new URL('connections-fixture.mjs', import.meta.url))

describe('connections', () => {
  needsNative()
  afterEach(cleanUp)

  for (const what of ['exit', 'terminate']) {
    it(`end with their worker, whatever they do, and leave no descriptor behind: ${what}`, async () => {
      const before = descriptors()
      const { said, failed } = await workerEnd(fixture, what)
      expect(failed).to.deep.equal([])
      expect(said[0]).to.equal('busy')
      expect(descriptors()).to.deep.equal(before)
    }).timeout(20_000)
  }

  it('are refused where no descriptor is left, and made again when there is one', async () => {
    const args = ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, fixture, 'descriptors']
    const { stdout } = await promisify(execFile)('sh', args)
    expect(JSON.parse(stdout)).to.deep.equal({ full: ['undefined', 'full'], none: 'undefined', again: 'object' })
  }).timeout(20_000)
})
