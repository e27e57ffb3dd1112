import { RystraError } from '@rystra/model'
import { expect } from 'chai'
import { Failures } from '../src/failures.js'

describe('failures of a proxy', () => {
  it('are counted, and logged when the client cannot be probed', async () => {
    const cause = new Error('no link to the other server')
    const warned = new Promise<unknown>((resolve) => {
      const state = {
        clock: { now: () => 0 },
        config: { takeoverTimeout: 1 },
        log: { warn: ({ err }: { err: unknown }) => resolve(err) }
      }
      const owner = { probe: () => Promise.reject(cause) }
      const failures = new Failures(owner as never, state as never)
      failures.count(new RystraError('stream.timeout', { side: 'client' }))
      expect(failures.recent).to.equal(true)
    })
    expect(await warned).to.equal(cause)
  })
})
