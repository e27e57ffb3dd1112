import type { PublishHost, VisitorInfo } from '@rystra/plugin'
import { expect } from 'chai'
import { Duplex } from 'node:stream'
import { Pool } from '../src/pool.js'

const visitor: VisitorInfo = { host: '192.0.2.1', port: 1, to: { host: '192.0.2.2', port: 80 } }

describe('the pool of connections to a service', () => {
  const ended = new AbortController()
  const streams: Duplex[] = []
  const opened = (): Duplex => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    streams.push(stream)
    return stream
  }
  const host = {
    hooks: {},
    signal: ended.signal,
    openStream: async () => ({ stream: opened() })
  } as unknown as PublishHost

  after(() => {
    ended.abort()
    for (const stream of streams) stream.destroy()
  })

  it('keeps what a burst of requests needed for the next one, up to a limit', async () => {
    const pool = new Pool(host, 'all')
    for (let count = 0; count < 1100; count += 1) await pool.open(visitor, ended.signal)
    for (const stream of streams) stream.emit('free')
    expect(pool.idle).to.equal(1024)
    expect(streams.filter(({ writableEnded }) => writableEnded)).to.have.length(76)

    const taken = new Set<Duplex | undefined>()
    for (let count = 0; count < 640; count += 1) taken.add(pool.take(visitor, true))
    expect(taken.has(undefined), 'one had to be opened anew').to.equal(false)
    expect(taken.size).to.equal(640)
    for (const stream of taken) stream?.emit('free')
    expect(pool.idle).to.equal(1024)
  })
})
