import transportHttp2 from '@rystra/transport-http2'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import net from 'node:net'
import { cleanUp, later, portOf, startClient, startServer, startService, svc, visitorPort } from './tunnel.js'

const ways = [
  ['yamux', 'tcp', { muxer: 'yamux' }],
  ['direct', 'tcp', { muxer: 'direct' }],
  ['http2', 'h2c', {}]
] as const

describe('the statistics of a session', () => {
  afterEach(cleanUp)

  for (const [name, transport, options] of ways) {
    it(`have what waits for a visitor that does not read: ${name}`, async () => {
      const extensions = [transportHttp2()]
      const server = await startServer({ listen: [{ transport, host: '127.0.0.1', port: 0 }] }, extensions)
      const flood = Buffer.alloc(64 * 1024)
      const local = await startService((socket) => {
        const write = (): void => {
          while (socket.writable && socket.write(flood));
        }
        socket.on('drain', write).on('error', () => {})
        write()
      })
      const connect = { transport, host: '127.0.0.1', port: portOf(server), ...options }
      const client = await startClient(portOf(server), [svc(local)], { connect }, extensions)
      const [there] = [...client.runtime.sessions()]
      const [here] = [...server.runtime.sessions()]
      const visitor = net.connect(visitorPort(client, 'svc'), '127.0.0.1').pause()
      later(() => visitor.destroy())
      await until(() => (there?.stats().muxer?.queued ?? 0) > 0, 'bytes wait at the client')
      await until(() => there?.stats().muxer?.blocked === 1, 'its stream is blocked')
      // The window of mux-direct is the kernel's: it has no number rather than a wrong one.
      expect(typeof here?.stats().muxer?.window).to.equal(name === 'direct' ? 'undefined' : 'number')
      visitor.destroy()
      await until(() => there?.stats().muxer?.blocked === 0, 'the visitor is gone')
    })
  }
})
