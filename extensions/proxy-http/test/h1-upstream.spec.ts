import { LazyAbort } from '@rystra/net'
import type { PublishHost, VisitorInfo } from '@rystra/plugin'
import { expect } from 'chai'
import { Duplex } from 'node:stream'
import { H1Upstream } from '../src/h1-upstream.js'
import type { ConnectOptions } from '../src/upstream.js'

const visitor: VisitorInfo = { host: '192.0.2.1', port: 1, to: { host: '192.0.2.2', port: 80 } }

describe('the HTTP/1.1 connections to a service', () => {
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
    const upstream = new H1Upstream(host, 'all', 32_768)
    const options: ConnectOptions = { visitor, repeatable: true, fresh: false, abort: new LazyAbort() }
    for (let count = 0; count < 1100; count += 1) await upstream.connect({ ...options, fresh: true })
    for (const stream of streams) stream.emit('free')
    expect(upstream.idle).to.equal(1024)
    expect(streams.filter(({ writableEnded }) => writableEnded)).to.have.length(76)

    const opened = streams.length
    for (let count = 0; count < 640; count += 1) {
      const connection = await upstream.connect(options)
      expect(connection.reused, 'one had to be opened anew').to.equal(true)
    }
    expect(upstream.idle).to.equal(1024 - 640)
    expect(streams.length).to.equal(opened)
    for (const stream of streams) if (!stream.writableEnded) stream.emit('free')
    expect((await upstream.connect({ ...options, repeatable: false })).reused, 'without an announcement').to.equal(
      false
    )
  })
})
