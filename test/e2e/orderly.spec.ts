import transportHttp2 from '@rystra/transport-http2'
import transportQuic from '@rystra/transport-quic'
import transportWs from '@rystra/transport-ws'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { cleanUp, echo, portOf, startClient, startServer, startService, visit, visitorPort } from './tunnel.js'

/** Each way that a session can be carried. */
const ways = [
  { transport: 'tcp', muxer: 'yamux' },
  { transport: 'tcp', muxer: 'direct' },
  { transport: 'ws', muxer: 'yamux' },
  { transport: 'h2c' },
  { transport: 'quic' }
] as const

describe('a session that is closed cleanly', () => {
  afterEach(cleanUp)

  for (const way of ways) {
    const { transport } = way
    const muxer = 'muxer' in way ? way.muxer : undefined
    for (const stops of ['client', 'server'] as const) {
      for (const busy of [false, true]) {
        const what = busy ? ', also with a stream that is open' : ''
        it(`is told as that at both ends when the ${stops} stops: ${transport} ${muxer ?? ''}${what}`, async () => {
          const more = [transportWs(), transportHttp2(), transportQuic()]
          const server = await startServer({ listen: [{ transport, host: '127.0.0.1', port: 0 }] }, more)
          const connect = {
            transport,
            host: '127.0.0.1',
            port: portOf(server),
            ...(muxer === undefined ? {} : { muxer }),
            ...server.listening[0]?.join
          }
          const local = await startService(echo)
          const proxies = [{ name: 'x', kind: 'tcp', local }]
          const client = await startClient(0, proxies, { connect } as never, more)
          const errors: (string | undefined)[] = []
          server.on('disconnected', (_session, error) => errors.push(error?.code))
          client.on('disconnected', (_session, error) => errors.push(error?.code))
          if (busy) {
            const visitor = await visit(visitorPort(client, 'x'))
            visitor.write('a')
            await new Promise((resolve) => visitor.once('data', resolve))
          }
          await (stops === 'client' ? client : server).stop({ drain: 0 })
          await until(() => errors.length === 2, 'both ends have errors it')
          // A server that stops says so.
          expect(errors.filter((code) => code !== undefined && code !== 'session.closing')).to.deep.equal([])
        })
      }
    }
  }
})
