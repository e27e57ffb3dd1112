import { expect } from 'chai'
import { once } from 'node:events'
import http2 from 'node:http2'
import {
  ask,
  frontPort,
  sendRaw,
  startHttpClient,
  startHttpServer,
  startHttpService,
  startRawService,
  statusesOf
} from './http-world.js'
import { cleanUp, later } from './tunnel.js'

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

  it('passes on to either version of HTTP whatever head a service answers with, or says 502', async () => {
    const answers: [head: string, h1: number, h2: number][] = [
      ['200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n0\r\nx: 1\r\n\r\n', 200, 200],
      ['204 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n', 204, 204],
      ['304 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n', 304, 304],
      ['204 OK\r\nContent-Length: 4\r\n\r\n', 204, 204],
      ['205 OK\r\nContent-Length: 4\r\n\r\nbody', 205, 205],
      ['200 OK\r\nX-Content-Type-Options: a\r\nX-Content-Type-Options: a\r\nContent-Length: 0\r\n\r\n', 200, 200],
      ['999 OK\r\nContent-Length: 0\r\n\r\n', 999, 502]
    ]
    const local = await startRawService((socket) => {
      socket.on('data', (head: Buffer) => {
        const [, which = '0'] = /^\S+ \/(\d)/.exec(head.toString()) ?? []
        socket.end(`HTTP/1.1 ${answers[Number(which)]?.[0]}`)
      })
    })
    const server = await startHttpServer()
    const port = frontPort(await startHttpClient(server, [{ name: 'app', kind: 'http', local }]))
    const session = http2.connect(`http://127.0.0.1:${port}`)
    later(() => session.destroy())
    for (const [index, [head, h1, h2]] of answers.entries()) {
      expect((await ask(port, 'app.localhost', `/${index}`)).status, head).to.equal(h1)
      const heads = await sendRaw(port, `HEAD /${index} HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`)
      expect(statusesOf(heads), head).to.deep.equal([h1])
      for (const method of ['GET', 'HEAD']) {
        const stream = session.request({ ':method': method, ':path': `/${index}`, ':authority': 'app.localhost' })
        const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
        expect(headers[':status'], `${method} ${head}`).to.equal(h2)
        if (!stream.closed) await once(stream.resume(), 'close')
        expect(stream.rstCode, `${method} ${head}`).to.equal(0)
      }
    }
  })
})
