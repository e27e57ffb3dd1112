import { silentLog } from '@rystra/model'
import { expect } from 'chai'
import { type ControlledEnd, EndControl, EventLog } from '../src/index.js'

describe('the control of an end', () => {
  it('logs a stop after a drain that fails', async () => {
    const logged = new Promise((resolve) => {
      const log = { ...silentLog, error: (...args: unknown[]) => resolve(args) }
      const clock = { now: () => 0, after: () => () => {} }
      const end = {
        state: { kernel: { inspect: () => ({ extensions: [] }) }, clock, log },
        streams: 0,
        drain: () => Promise.resolve(),
        stop: () => Promise.reject(new Error('on purpose'))
      } as unknown as ControlledEnd
      void new EndControl(end, new EventLog(clock, log), {}).drain({ timeout: 0, stop: true })
    })
    expect(await logged).to.have.nested.property('[0].err.message', 'on purpose')
  })
})
