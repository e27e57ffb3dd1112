import { RystraError, type Logger, type SessionInfo, silentLog } from '@rystra/model'
import { TrafficTotals } from '@rystra/session'
import { expect } from 'chai'
import { RemoteOwner } from '../src/remote-owner.js'

const info: SessionInfo = {
  id: 's1',
  identity: { id: 'home' },
  client: { id: 'nas', instance: 'i', agent: 'rystra/0.1.0' },
  peer: { address: '203.0.113.9', port: 4711 },
  transport: 'memory',
  muxer: 'memory',
  since: 0
}

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
    return { warned, owner: new RemoteOwner({ info, to, forwarding, totals: new TrafficTotals(), log, suspend }) }
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
