import { expect } from 'chai'
import { frontPort, sendRaw, startHttpClient, startHttpServer, startHttpService, statusesOf } from './http-world.js'
import { cleanUp } from './tunnel.js'

const HEAD = 'Host: app.localhost\r\n'

describe('http: visitors who mean harm', () => {
  afterEach(cleanUp)

  it('answers in turn what was sent ahead of an upgrade or CONNECT', async () => {
    const large = Buffer.alloc(4_000_000, 'l')
    const { port: local, server: service } = await startHttpService((request, response) => {
      setImmediate(() => response.end(request.url === '/large' ? large : 'ok'))
    })
    service.on('upgrade', (_, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nchanged')
    })
    const server = await startHttpServer()
    const port = frontPort(await startHttpClient(server, [{ name: 'app', kind: 'http', local }]))
    const behind = {
      [`GET /u HTTP/1.1\r\n${HEAD}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`]: 101,
      [`GET /u HTTP/1.1\r\n${HEAD}Connection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n`]: 200,
      [`CONNECT app.localhost:80 HTTP/1.1\r\n${HEAD}\r\n`]: 405
    }
    for (const [last, status] of Object.entries(behind)) {
      const text = await sendRaw(
        port,
        `GET /large HTTP/1.1\r\n${HEAD}\r\nGET /small HTTP/1.1\r\n${HEAD}\r\n${last}`,
        (text) => text.endsWith('changed')
      )
      expect(statusesOf(text), last).to.deep.equal([200, 200, status])
      expect(text.length, last).to.be.above(large.length)
    }
  })
})
