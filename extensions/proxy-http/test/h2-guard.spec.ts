import { expect } from 'chai'
import { EventEmitter } from 'node:events'
import { ResetGuard } from '../src/h2-guard.js'

describe('the guard of an HTTP/2 connection', () => {
  it('ends one that takes requests back too fast, but not while it is being read', async () => {
    const calls: string[] = []
    const session = {
      destroyed: false,
      goaway: () => calls.push('goaway'),
      destroy: () => calls.push('destroy')
    }
    const guard = new ResetGuard(session as never)
    const aborted = (): number => {
      const stream = Object.assign(new EventEmitter(), { close: () => calls.push('refuse') })
      guard.watch(stream as never)
      return Number(stream.emit('aborted'))
    }
    for (let count = 0; count < 10_000 && aborted() > 0; count += 1);
    // A native session that is destroyed within its own event takes the process along.
    expect(calls).to.deep.equal(['refuse'])
    await new Promise((resolve) => setImmediate(resolve))
    expect(calls).to.deep.equal(['refuse', 'goaway', 'destroy'])
  })
})
