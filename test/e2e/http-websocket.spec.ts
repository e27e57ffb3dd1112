import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import http2, { type ClientHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { ask, startHttpService } from './http-world.js'
import { cleanUp, later } from './tunnel.js'
import { authority, startH2Service, tunnel, session, type Response, response } from './h2-world.js'

const { NGHTTP2_CANCEL } = http2.constants

/** Upgrades to WebSocket, and echoes. */
const startWebSocketService = async (): Promise<number> => {
  const { port, server } = await startHttpService((_, answer) => answer.end())
  server.on('upgrade', (request, socket: Socket) => {
    const { 'sec-websocket-key': key } = request.headers
    later(() => socket.destroy())
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: of ${key?.length}\r\nX-Service: h1\r\n\r\n`
    )
    socket.pipe(socket)
  })
  return port
}

const startExtendedService = async (): Promise<number> => {
  const { port } = await startH2Service(
    (stream, headers) => {
      stream.respond({ ':status': headers[':protocol'] === 'websocket' ? 200 : 400, 'x-service': 'h2' })
      stream.pipe(stream)
    },
    { enableConnectProtocol: true }
  )
  return port
}

describe('http: WebSockets over HTTP/2, RFC 8441', () => {
  afterEach(cleanUp)

  for (const [name, start, h2] of [
    ['HTTP/1.1', startWebSocketService, false],
    ['HTTP/2', startExtendedService, true]
  ] as const) {
    it(`open by HTTP/2 and by HTTP/1.1 to a service of ${name}`, async () => {
      const port = await tunnel(await start(), { h2 })
      const visitor = session(port)
      await once(visitor, 'remoteSettings')
      expect(visitor.remoteSettings.enableConnectProtocol).to.equal(true)
      const stream = visitor.request(
        {
          ':method': 'CONNECT',
          ':protocol': 'websocket',
          ':path': '/',
          ':authority': authority,
          'sec-websocket-version': '13'
        },
        { endStream: false }
      )
      const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
      expect(headers).to.include({ ':status': 200, 'x-service': h2 ? 'h2' : 'h1' })
      expect(headers).not.to.have.property('sec-websocket-accept')
      stream.write('there and back')
      expect(String((await once(stream, 'data'))[0])).to.equal('there and back')
      stream.close(NGHTTP2_CANCEL)

      const request = http.get({
        host: '127.0.0.1',
        port,
        agent: false,
        headers: {
          host: authority,
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ=='
        }
      })
      const [answer, socket] = (await once(request, 'upgrade')) as [http.IncomingMessage, Socket]
      later(() => socket.destroy())
      expect(answer.headers['sec-websocket-accept']).to.equal(h2 ? 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' : 'of 24')
      socket.write('and by HTTP/1.1')
      expect(String((await once(socket, 'data'))[0])).to.equal('and by HTTP/1.1')
    })
  }

  it('are refused with the status of the service, and CONNECT of other kinds by the tunnel', async () => {
    const { port: local } = await startHttpService((_, answer) => answer.writeHead(403).end('no'))
    const visitor = session(await tunnel(local))
    await once(visitor, 'remoteSettings')
    const connect = (fields: http2.OutgoingHttpHeaders): Promise<Response> =>
      response(visitor.request({ ':method': 'CONNECT', ':authority': authority, ...fields }, { endStream: false }))
    expect((await connect({ ':protocol': 'websocket', ':path': '/' })).headers[':status']).to.equal(403)
    expect((await connect({ ':protocol': 'other', ':path': '/' })).headers[':status']).to.equal(501)
    expect((await connect({})).headers[':status']).to.equal(405)
    expect((await ask(frontPortOf(visitor), authority)).status).to.equal(403)
  })
})

const frontPortOf = (visitor: ClientHttp2Session): number => visitor.socket.remotePort ?? 0
