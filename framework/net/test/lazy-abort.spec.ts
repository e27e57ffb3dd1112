import { expect } from 'chai'
import { LazyAbort } from '../src/lazy-abort.js'

describe('a signal that is made when it is asked for', () => {
  it('is aborted with the first reason, whether it was asked for before or after', () => {
    for (const early of [true, false]) {
      const abort = new LazyAbort()
      const before = early ? abort.signal : undefined
      expect(abort.aborted).to.equal(false)
      expect(before?.aborted ?? false).to.equal(false)
      const reason = new Error('first')
      abort.abort(reason)
      abort.abort(new Error('second'))
      expect(abort).to.include({ aborted: true, reason })
      expect(abort.signal).to.include({ aborted: true, reason })
      expect(before ?? abort.signal).to.equal(abort.signal)
    }
  })
})
