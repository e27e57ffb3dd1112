import { RystraError, type Logger, silentLog } from '@rystra/model'
import { TrafficTotals } from '@rystra/session'
import { sessionInfo } from '@rystra/testkit'
import { expect } from 'chai'
import { RemoteOwner } from '../src/remote-owner.js'

describe('the owner of a proxy that another server has', () => {
  const make = (suspend: () => Promise<void>) => {
    const warned: { readonly err: unknown }[] = []
    const log: Logger = {
      ...silentLog,
      warn: (fields: object | string) => void warned.push(fields as { err: unknown }),
      child: () => log
    }
    const forwarding = {
      open: () => Promise.reject(new RystraError('cluster.not-here')),
      probe: () => Promise.reject(new RystraError('cluster.unavailable')),
      tell: () => {}
    }
    const to = { member: 'b', session: 's1', spec: 'x' }
    return {
      warned,
      owner: new RemoteOwner({ info: sessionInfo(), to, forwarding, totals: new TrafficTotals(), log, suspend })
    }
  }

  it('is taken back without a rejection when the withdrawal fails: that is logged', async () => {
    const error = new RystraError('listen.failed')
    const { warned, owner } = make(() => Promise.reject(error))
    owner.takeBack()
    await new Promise((resolve) => setImmediate(resolve))
    expect(warned).to.deep.equal([{ err: error }])
  })

  it('is suspended here when it is evicted, and tells what failed', async () => {
    let suspended = 0
    const { owner } = make(async () => {
      suspended += 1
    })
    await owner.evict()
    owner.takeBack()
    expect(suspended).to.equal(2)
    const failed = await owner.probe(1).catch((cause: unknown) => (cause as RystraError).code)
    expect(failed).to.equal('cluster.unavailable')
  })
})
