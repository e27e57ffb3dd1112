import { type Logger, silentLog } from '@rystra/model'
import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { LinkCounts } from '../src/link-counts.js'
import { Listeners } from '../src/listeners.js'
import { OpenListener } from '../src/open-listener.js'

describe('the listeners of a server', () => {
  it('are all closed, also where the transport of one fails to', async () => {
    const logged: unknown[] = []
    const log: Logger = { ...silentLog, error: (...args: unknown[]) => void logged.push(args[1]) }
    const clock = new FakeClock()
    const closed: number[] = []
    const open = (port: number, close: () => Promise<void>): OpenListener => {
      const address = { host: '127.0.0.1', port }
      return new OpenListener('', { transport: 'tcp', ...address }, { address, close }, new LinkCounts(), clock.now())
    }
    const listeners = new Listeners({} as never, clock, log)
    await listeners.close([
      open(1, () => Promise.reject(new Error('on purpose'))),
      open(2, async () => void closed.push(2))
    ])
    expect([closed, logged]).to.deep.equal([[2], ['a listener could not be closed']])
  })
})
