import { rawOf } from '@rystra/bytes'
import { RystraError, silentLog } from '@rystra/model'
import { expect } from 'chai'
import { duplexPair } from 'node:stream'
import { relayVisitor } from '../src/relay-visitor.js'

describe('a visitor whose service is not reached', () => {
  it('is reset where the member that is asked next throws', async () => {
    const [visitor] = duplexPair()
    visitor.on('error', () => {})
    const closed = new Promise((resolve) => visitor.once('close', resolve))
    const logged: unknown[] = []
    const log = { ...silentLog, error: (...args: unknown[]) => void logged.push(args[1]) }
    const proxy = { log, open: () => Promise.reject(new RystraError('stream.service-unreachable')) }
    relayVisitor(
      proxy,
      rawOf(visitor),
      { host: '192.0.2.1', port: 1, to: { host: '192.0.2.2', port: 2 } },
      {
        failover: () => {
          throw new Error('on purpose')
        }
      }
    )
    await closed
    expect(logged).to.deep.equal(['a visitor could not be given to another member'])
  })
})
