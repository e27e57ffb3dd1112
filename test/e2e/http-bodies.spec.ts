import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import type { Socket } from 'node:net'
import { createHash } from 'node:crypto'
import {
  type Answering,
  ask,
  frontPort,
  mirror,
  mirrored,
  sendRaw,
  startHttpClient,
  startHttpServer,
  startHttpService,
  startRawService,
  statusesOf
} from './http-world.js'
import { cleanUp, later } from './tunnel.js'

describe('http: bodies', () => {
  afterEach(cleanUp)

  const published = async (listener: Answering, spec: object = {}, options: object = {}): Promise<number> => {
    const { port: local } = await startHttpService(listener)
    return frontPort(
      await startHttpClient(await startHttpServer(options), [{ name: 'app', kind: 'http', local, ...spec }])
    )
  }

  it('carries bodies with a length, in chunks, and none, for any method', async () => {
    const port = await published((request, response) => void mirror(request, response))
    const body = 'x'.repeat(300_000)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'OPTIONS', 'PROPFIND']) {
      const whole = await mirrored(port, 'app.localhost', '/', {
        method,
        body,
        headers: { 'content-length': body.length }
      })
      expect([whole.method, whole.body.length, whole.headers['content-length']]).to.deep.equal([
        method,
        body.length,
        '300000'
      ])
      const chunked = await mirrored(port, 'app.localhost', '/', {
        method,
        body,
        headers: { 'transfer-encoding': 'chunked' }
      })
      expect([chunked.body.length, chunked.headers['transfer-encoding']], method).to.deep.equal([
        body.length,
        'chunked'
      ])
      const none = await mirrored(port, 'app.localhost', '/', { method })
      expect(none.body, method).to.equal('')
    }
  })

  it('carries trailers both ways', async () => {
    const port = await published(async (request, response) => {
      request.resume()
      await once(request, 'end')
      response.writeHead(200, { Trailer: 'X-Sum' })
      response.write('body')
      response.addTrailers({ 'X-Sum': String(request.trailers['x-count']), 'X-Forwarded-For': '5' })
      response.end()
    })
    const request = http.request({
      port,
      host: '127.0.0.1',
      method: 'POST',
      headers: { host: 'app.localhost', Trailer: 'X-Count', TE: 'trailers' }
    })
    request.write('abc')
    request.addTrailers({ 'X-Count': '3' })
    request.end()
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.resume()
    await once(response, 'end')
    expect(response.trailers).to.deep.equal({ 'x-sum': '3' })
  })

  it('answers HEAD, 204 and 304 without a body, and goes on with the connection', async () => {
    const port = await published((request, response) => {
      const status = Number(request.url?.slice(1))
      response.writeHead(status, status === 204 ? {} : { 'Content-Length': 12_345 })
      response.end(request.method === 'HEAD' || status !== 200 ? undefined : 'x'.repeat(12_345))
    })
    const head = 'HTTP/1.1\r\nHost: app.localhost\r\n'
    const text = await sendRaw(
      port,
      `HEAD /200 ${head}\r\nGET /304 ${head}\r\nGET /204 ${head}\r\nHEAD /204 ${head}Connection: close\r\n\r\n`
    )
    expect(statusesOf(text)).to.deep.equal([200, 304, 204, 204])
    expect(text.match(/Content-Length: 12345/gi)?.length).to.equal(2)
    expect(text).to.not.include('xxx')
  })

  it('passes 100 and 103 on, and the body only when the service wants it', async () => {
    const { port: other, server: service } = await startHttpService(() => {})
    const raw = await startRawService((socket) => {
      let text = ''
      socket.on('data', (chunk) => {
        text += String(chunk)
        if (text.endsWith('\r\n\r\n')) {
          socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Hint: 1\r\n\r\n')
          socket.write('HTTP/1.1 100 Continue\r\n\r\n')
        }
        if (text.endsWith('body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    })
    const client = await startHttpClient(await startHttpServer(), [
      { name: 'app', kind: 'http', local: raw },
      { name: 'other', kind: 'http', local: other }
    ])
    const request = http.request({
      port: frontPort(client),
      host: '127.0.0.1',
      method: 'PUT',
      headers: { host: 'app.localhost', expect: '100-continue', 'content-length': 4 }
    })
    const hints: unknown[] = []
    request.on('information', ({ statusCode, headers }) => hints.push([statusCode, headers.link]))
    request.flushHeaders()
    await once(request, 'continue')
    request.end('body')
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.resume()
    expect(response.statusCode).to.equal(200)
    expect(hints[0]).to.deep.equal([103, '</a.css>; rel=preload'])
    // A service that answers without asking for the body: the connection ends, since what follows is unknown.
    service.on('checkContinue', (_, response) => response.end('refused'))
    const text = await sendRaw(
      frontPort(client, 'other'),
      'POST / HTTP/1.1\r\nHost: other.localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n'
    )
    expect(text).to.match(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).to.match(/\r\nConnection: close\r\n/)
  })

  it('streams a large download and upload whole, and holds a sender back', async () => {
    const size = 20_000_000
    let sent = 0
    const block = Buffer.alloc(100_000, 'abc')
    const port = await published((request, response) => {
      if (request.method === 'POST') {
        const hash = createHash('sha256')
        request.on('data', (chunk) => hash.update(chunk)).on('end', () => response.end(hash.digest('hex')))
        return
      }
      const endless = request.url === '/endless'
      const go = (): void => {
        while (endless || sent < size) {
          sent += block.length
          if (!response.write(block)) {
            response.once('drain', go)
            return
          }
        }
        response.end()
      }
      go()
    })
    const { body } = await ask(port, 'app.localhost')
    expect(body.length).to.equal(size)
    const upload = Buffer.alloc(5_000_000, 'upload')
    const { body: digest } = await ask(port, 'app.localhost', '/', { method: 'POST', body: upload })
    expect(digest).to.equal(createHash('sha256').update(upload).digest('hex'))
    // The visitor does not read an endless one: the service is stopped when the buffers between are full.
    const slow = http.get({ port, host: '127.0.0.1', path: '/endless', headers: { host: 'app.localhost' } })
    later(() => slow.destroy())
    slow.on('error', () => {})
    const [response] = (await once(slow, 'response')) as [http.IncomingMessage]
    response.on('error', () => {}).pause()
    let before = -1
    for (let same = 0; same < 200; ) {
      await new Promise((resolve) => setImmediate(resolve))
      same = sent === before ? same + 1 : 0
      before = sent
    }
  })

  it('uses few connections to the service, one after the other, and gives them up when they are idle', async () => {
    const sockets = new Set<unknown>()
    const { port: local, server: service } = await startHttpService(
      (request, response) => void mirror(request, response)
    )
    service.on('connection', (socket: Socket) => sockets.add(socket))
    const client = await startHttpClient(await startHttpServer(), [
      { name: 'app', kind: 'http', local },
      { name: 'own', kind: 'http', local, reuse: 'never' }
    ])
    const port = frontPort(client)
    for (let index = 0; index < 10; index += 1) await ask(port, 'app.localhost')
    expect(sockets.size).to.equal(1)
    for (let index = 0; index < 3; index += 1) await ask(port, 'own.localhost')
    expect(sockets.size).to.equal(4)
  })

  it('sends a request again over a new connection when the service has closed the old one', async () => {
    let connections = 0
    const local = await startRawService((socket) => {
      connections += 1
      let requests = 0
      socket.on('data', () => {
        requests += 1
        // Answers once and cuts off with the second request, as one does that closes while it comes.
        if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        else socket.resetAndDestroy()
      })
    })
    const port = frontPort(await startHttpClient(await startHttpServer(), [{ name: 'app', kind: 'http', local }]))
    for (let index = 0; index < 5; index += 1) expect((await ask(port, 'app.localhost')).status).to.equal(200)
    expect(connections).to.equal(5)
    // It cannot be sent twice, so it gets a connection that the service is not closing.
    const post = await ask(port, 'app.localhost', '/', { method: 'POST', body: 'x' })
    expect([post.status, connections]).to.deep.equal([200, 6])
  })

  it('sends what cannot be sent twice over a kept connection only within the time that the service announces', async () => {
    const connections: number[] = []
    const keepAlive = { announced: 'Keep-Alive: timeout=30\r\n', closing: false }
    const local = await startRawService((socket) => {
      const index = connections.push(0) - 1
      socket.on('data', () => {
        connections[index] = (connections[index] as number) + 1
        socket.write(`HTTP/1.1 200 OK\r\n${keepAlive.announced}Content-Length: 2\r\n\r\nok`)
        if (keepAlive.closing) socket.end()
      })
    })
    const port = frontPort(await startHttpClient(await startHttpServer(), [{ name: 'app', kind: 'http', local }]))
    const post = () => ask(port, 'app.localhost', '/', { method: 'POST', headers: { 'Content-Length': 0 } })
    expect([(await post()).status, (await post()).status]).to.deep.equal([200, 200])
    expect(connections, 'announced').to.deep.equal([2])
    // It does not keep its word: from then on none of them shares a connection.
    keepAlive.closing = true
    for (let count = 0; count < 40; count += 1) expect((await post()).status).to.equal(200)
    expect(connections.length).to.be.greaterThan(38)
  })

  it('hands a request to a service within the process', async () => {
    const service = http.createServer((request, response) => void mirror(request, response))
    const client = await startHttpClient(await startHttpServer(), [])
    await client.expose({ name: 'app', kind: 'http', handler: service })
    expect((await mirrored(frontPort(client), 'app.localhost', '/inside')).target).to.equal('/inside')
  })
})
