import { expect } from 'chai'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import {
  ask,
  frontPort,
  mirror,
  type Mirrored,
  sendRaw,
  startHttpClient,
  startHttpServer,
  startHttpService,
  startRawService,
  statusesOf
} from './http-world.js'
import { cleanUp, later, until, visit } from './tunnel.js'

describe('http: other protocols', () => {
  afterEach(cleanUp)

  const upgrading = (socket: Socket): void => {
    let text = ''
    const onHead = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end === -1) return
      socket.off('data', onHead)
      const rest = text.slice(end + 4)
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nSec-WebSocket-Accept: x\r\n\r\nhi'
      )
      socket.write(`${rest}`)
      socket.on('data', (more) => socket.write(more)).on('end', () => socket.end('bye'))
    }
    socket.on('data', onHead)
  }

  it('changes to any other protocol, and carries bytes both ways and ends', async () => {
    const local = await startRawService(upgrading)
    const port = frontPort(await startHttpClient(await startHttpServer(), [{ name: 'app', kind: 'http', local }]))
    const socket = await visit(port)
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk
    })
    socket.write(
      'GET /ws HTTP/1.1\r\nHost: app.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\nSec-WebSocket-Key: y\r\n\r\nfirst'
    )
    await until(() => text.endsWith('hifirst'))
    expect(text).to.match(
      /^HTTP\/1\.1 101 .*\r\nConnection: Upgrade\r\nUpgrade: echo\r\nSec-WebSocket-Accept: x\r\n\r\nhifirst$/s
    )
    socket.write('x'.repeat(100_000))
    await until(() => text.endsWith('x'.repeat(100_000)))
    socket.end()
    await once(socket, 'end')
    expect(text.endsWith('bye')).to.equal(true)
  })

  it('passes on an answer that declines the change', async () => {
    const { port: local } = await startHttpService((request, response) => void mirror(request, response))
    const port = frontPort(await startHttpClient(await startHttpServer(), [{ name: 'app', kind: 'http', local }]))
    const text = await sendRaw(
      port,
      'GET /ws HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    )
    expect(statusesOf(text)).to.deep.equal([200])
    expect(text).to.include('"upgrade":"websocket"')
    const none = await sendRaw(
      port,
      'GET /ws HTTP/1.1\r\nHost: none.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    )
    expect(statusesOf(none)).to.deep.equal([404])
  })

  it('refuses CONNECT', async () => {
    const port = frontPort(await startHttpClient(await startHttpServer(), [{ name: 'app', kind: 'http', local: 1 }]))
    const text = await sendRaw(port, 'CONNECT app.localhost:80 HTTP/1.1\r\nHost: app.localhost:80\r\n\r\n')
    expect(statusesOf(text)).to.deep.equal([405])
  })

  it('speaks HTTP/2 with visitors that begin with it: many requests at once, bodies, trailers', async () => {
    const { port: local } = await startHttpService((request, response) => {
      if (request.url === '/trailers') {
        response.writeHead(200, { Trailer: 'X-T' })
        response.write('b')
        response.addTrailers({ 'X-T': '1' })
        response.end()
      } else void mirror(request, response)
    })
    const port = frontPort(await startHttpClient(await startHttpServer(), [{ name: 'app', kind: 'http', local }]))
    const session = http2.connect(`http://127.0.0.1:${port}`)
    later(() => session.destroy())
    const get = async (
      path: string,
      body?: string
    ): Promise<{ text: string; trailers: unknown; head: http2.IncomingHttpHeaders }> => {
      const stream = session.request({
        ':authority': `app.localhost:${port}`,
        ':path': path,
        ':method': body === undefined ? 'GET' : 'POST',
        cookie: 'a=1'
      })
      let head: http2.IncomingHttpHeaders = {}
      let trailers: Record<string, unknown> = {}
      let text = ''
      stream.on('response', (headers) => {
        head = headers
      })
      stream.on('trailers', (more) => {
        trailers = { ...more }
      })
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      stream.end(body)
      await once(stream, 'end')
      return { text, trailers, head }
    }
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => get(`/${index}`, `body ${index}`)))
    for (const [index, { text }] of answers.entries()) {
      const { target, body, headers } = JSON.parse(text) as Mirrored
      expect([target, body, headers['host'], headers['cookie']]).to.deep.equal([
        `/${index}`,
        `body ${index}`,
        `app.localhost:${port}`,
        'a=1'
      ])
    }
    const { trailers, head } = await get('/trailers')
    expect(trailers).to.include({ 'x-t': '1' })
    expect(head).to.not.have.property('transfer-encoding')
  })

  it('asks a service that speaks HTTP/2 over one connection', async () => {
    const sessions = new Set<unknown>()
    const service = http2.createServer()
    service.on('session', (session) => sessions.add(session))
    service.on('stream', (stream, headers) => {
      let body = ''
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk
      })
      stream.on('end', () => {
        stream.respond(
          { ':status': 201, 'x-path': headers[':path'], 'x-authority': headers[':authority'] },
          { waitForTrailers: true }
        )
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': String(body.length) }))
        stream.end(`got ${body}`)
      })
    })
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    later(() => {
      for (const session of sessions) (session as http2.ServerHttp2Session).destroy()
      service.close()
    })
    const local = (service.address() as AddressInfo).port
    const port = frontPort(
      await startHttpClient(await startHttpServer(), [{ name: 'app', kind: 'http', local, h2: true }])
    )
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        ask(port, 'app.localhost', `/${index}`, { method: 'POST', body: `${index}` })
      )
    )
    for (const [index, { status, headers, body, trailers }] of answers.entries()) {
      expect([status, headers['x-path'], headers['x-authority'], body]).to.deep.equal([
        201,
        `/${index}`,
        'app.localhost',
        `got ${index}`
      ])
      expect(trailers).to.deep.equal({ 'x-sum': String(String(index).length) })
    }
    expect((await ask(port, 'app.localhost', '/get')).body).to.equal('got ')
    expect(sessions.size).to.equal(1)
    // Gone, and made again with the next request.
    for (const session of sessions) (session as http2.ServerHttp2Session).destroy()
    await until(() => [...sessions].every((session) => (session as http2.ServerHttp2Session).destroyed))
    for (;;) {
      const { status } = await ask(port, 'app.localhost', '/again')
      if (status === 201) break
      expect(status).to.equal(502)
    }
    expect(sessions.size).to.be.above(1)
  })
})
