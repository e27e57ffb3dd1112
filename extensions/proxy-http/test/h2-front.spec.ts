import { expect } from 'chai'
import { EventEmitter } from 'node:events'
import { ResetGuard } from '../src/h2-front.js'

describe('the guard against resets of an HTTP/2 connection', () => {
  it('ends one that cancels requests too fast, but not while it is being read', async () => {
    const calls: string[] = []
    const session = {
      destroyed: false,
      goaway: () => calls.push('goaway'),
      destroy: () => calls.push('destroy')
    }
    const guard = new ResetGuard(session as never)
    const aborted = (): number => {
      const stream = Object.assign(new EventEmitter(), { close: () => calls.push('refuse') })
      return Number(guard.admits(stream as never) && stream.emit('aborted'))
    }
    for (let count = 0; count < 10_000 && aborted() > 0; count += 1);
    // A native session that is destroyed within its own event takes the process along.
    expect(calls).to.deep.equal(['refuse'])
    await new Promise((resolve) => setImmediate(resolve))
    expect(calls).to.deep.equal(['refuse', 'goaway', 'destroy'])
  })
})
