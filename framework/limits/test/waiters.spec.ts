import { expect } from 'chai'
import { RystraError } from '@rystra/model'
import { Waiters } from '../src/index.js'

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'served',
    (error: RystraError) => error.code
  )

describe('waiters for the other side', () => {
  /** The time is over when it is told so. */
  const make = (): { waiters: Waiters<number>; timers: Set<() => void> } => {
    const timers = new Set<() => void>()
    const late = (): RystraError => new RystraError('stream.timeout')
    const after = (_ms: number, fn: () => void): (() => void) => {
      timers.add(fn)
      return () => timers.delete(fn)
    }
    return { waiters: new Waiters<number>({ timeout: 1000, late, after }), timers }
  }

  it('are served in the order they came', async () => {
    const { waiters, timers } = make()
    const served: string[] = []
    const both = Promise.all(
      ['first', 'second'].map((name) => waiters.wait((given) => served.push(`${name} ${given}`), undefined))
    )
    expect(waiters.size).to.equal(2)
    expect([waiters.serve(1), waiters.serve(2), waiters.serve(3)]).to.deep.equal([true, true, false])
    await both
    expect(served).to.deep.equal(['first 1', 'second 2'])
    expect(timers.size).to.equal(0)
  })

  it('wait no longer than they may', async () => {
    const { waiters, timers } = make()
    const waiting = waiters.wait(() => {}, undefined)
    for (const over of timers) over()
    expect(await code(waiting)).to.equal('stream.timeout')
    expect(waiters.serve(1)).to.equal(false)
  })

  it('may give up', async () => {
    const { waiters, timers } = make()
    const given = new AbortController()
    const waiting = waiters.wait(() => {}, given.signal)
    given.abort()
    expect(await code(waiting)).to.equal('stream.reset')
    expect([waiters.size, timers.size]).to.deep.equal([0, 0])
  })

  it('are all rejected at once', async () => {
    const { waiters, timers } = make()
    const waiting = [1, 2].map(() => waiters.wait(() => {}, undefined))
    waiters.refuse(new RystraError('mux.closed'))
    expect(await Promise.all(waiting.map(code))).to.deep.equal(['mux.closed', 'mux.closed'])
    expect([waiters.size, timers.size]).to.deep.equal([0, 0])
  })

  it('wait on real time unless told otherwise', async () => {
    const waiters = new Waiters({ timeout: 1, late: () => new RystraError('stream.timeout') })
    expect(await code(waiters.wait(() => {}, undefined))).to.equal('stream.timeout')
  })
})
