import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { cleanUp, descriptors, needsNative } from './ends.js'

const fixture = fileURLToPath(new URL('links-fixture.mjs', import.meta.url))

describe('a link and a stream that is joined with a socket', () => {
  needsNative()
  afterEach(cleanUp)

  for (const what of ['exit', 'terminate', 'closed']) {
    it(`end with their worker in the middle of traffic, and leave no descriptor behind: ${what}`, async () => {
      const before = descriptors()
      const worker = new Worker(fixture, { argv: [what], execArgv: [] })
      const said: unknown[] = []
      worker.on('message', (message) => {
        said.push(message)
        if (message === 'end me') void worker.terminate()
      })
      const failed: Error[] = []
      worker.on('error', (error: Error) => failed.push(error))
      await new Promise((resolve) => worker.once('exit', resolve))
      expect(failed).to.deep.equal([])
      expect(said[0]).to.equal('first')
      expect(descriptors()).to.deep.equal(before)
    }).timeout(20_000)
  }

  it('stay with JavaScript where no descriptor is left, and the link goes on', async () => {
    const args = ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, fixture, 'descriptors']
    const { stdout } = await promisify(execFile)('sh', args)
    expect(JSON.parse(stdout)).to.deep.equal({ joined: false, opened: false, sent: 'frames' })
  }).timeout(20_000)
})
