import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { WebSocket, WebSocketServer } from 'ws'
import { request } from './raw-peer.js'
import { cleanUp, dial, dir, failure, joined, later, listen, readAll, say, serve, until } from './setup.js'

/** An application that tells what it was requested. */
const startApp = async (where?: string): Promise<number> => {
  const app = http.createServer((requested, response) => {
    const chunks: Buffer[] = []
    requested.on('data', (chunk: Buffer) => chunks.push(chunk))
    requested.on('end', () => {
      const body = Buffer.concat(chunks)
      const said = {
        method: requested.method,
        url: requested.url,
        headers: requested.headers,
        body: String(body).slice(0, 100),
        length: body.length
      }
      response.writeHead(
        201,
        'Made',
        [
          ['Content-Type', 'application/json'],
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2']
        ].flat()
      )
      response.end(JSON.stringify(said))
    })
  })
  const webSockets = new WebSocketServer({ server: app })
  webSockets.on('connection', (ws) => ws.on('message', (data) => ws.send(`app: ${data}`)))
  if (where === undefined) app.listen(0, '127.0.0.1')
  else app.listen(where)
  await once(app, 'listening')
  later(() => {
    app.close()
    app.closeAllConnections()
  })
  return where === undefined ? (app.address() as net.AddressInfo).port : 0
}

const ask = (port: number, target: string, options: http.RequestOptions = {}, body?: string | Buffer) =>
  new Promise<{
    status: number | undefined
    message: string | undefined
    headers: http.IncomingHttpHeaders
    body: string
  }>((resolve, reject) => {
    const requested = http.request({ host: '127.0.0.1', port, path: target, ...options }, (response) => {
      readAll(response as never).then((text) => {
        const { statusCode: status, statusMessage: message, headers } = response
        resolve({ status, message, headers, body: text })
      }, reject)
    })
    requested.on('error', reject)
    requested.end(body)
  })

describe('other requests on the port', () => {
  afterEach(cleanUp)

  it('are refused in HTTP', async () => {
    const { port } = await listen('ws')
    const other = await ask(port, '/')
    expect([other.status, other.headers['content-type'], other.headers.connection]).to.deep.equal([
      404,
      'text/plain',
      'close'
    ])
    const own = await ask(port, '/rystra?x=1')
    expect([own.status, own.headers.upgrade]).to.deep.equal([426, 'websocket'])
    const posted = await ask(port, '/rystra', { method: 'POST' }, 'x')
    expect(posted.status).to.equal(426)
    expect(await say(port, request({}, '/elsewhere'))).to.match(/^HTTP\/1\.1 404 /)
    expect(await say(port, request({}, '/rystrax'))).to.match(/^HTTP\/1\.1 404 /)
    expect(await say(port, request({ Upgrade: 'h2c' }))).to.match(/^HTTP\/1\.1 426 /)
    expect(await say(port, request({ 'Sec-WebSocket-Protocol': 'chat' }))).to.match(/^HTTP\/1\.1 400 [\s\S]*rystra\.1/)
    expect(await say(port, request({ 'Sec-WebSocket-Version': '9' }))).to.match(/^HTTP\/1\.1 400 /)
    expect(await say(port, request({ 'Sec-WebSocket-Key': 'short' }))).to.match(/^HTTP\/1\.1 400 /)
  })

  it('do not hinder links on another path, which is reported to clients', async () => {
    const listening = await listen('ws', { path: '/hidden/door' })
    expect(listening.listener.join).to.deep.equal({ path: '/hidden/door' })
    expect((await listen('ws')).listener.join).to.equal(undefined)
    expect((await failure(dial('ws', listening.port))).code).to.equal('connect.refused')
    await dial('ws', listening.port, { path: '/hidden/door' })
    await dial('ws', listening.port, { path: '/hidden/door?tenant=1' })
  })

  it('are handed to another server, and its answers come back as they are', async () => {
    const { port } = await listen('ws', { fallback: `127.0.0.1:${await startApp()}` })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    later(() => agent.destroy())
    const got = await ask(port, '/page?x=1', {
      agent,
      headers: { 'X-Forwarded-For': '6.6.6.6', 'X-Own': 'yes', TE: 'trailers' }
    })
    expect([got.status, got.message, got.headers['set-cookie']]).to.deep.equal([201, 'Made', ['a=1', 'b=2']])
    const seen = JSON.parse(got.body) as { url: string; headers: Record<string, string> }
    expect(seen.url).to.equal('/page?x=1')
    expect(seen.headers).to.include({
      host: `127.0.0.1:${port}`,
      'x-own': 'yes',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http'
    })
    expect(seen.headers).to.not.have.property('te')
    for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
      const posted = await ask(port, '/form', { agent, method: 'POST', headers }, 'y'.repeat(300_000))
      expect(JSON.parse(posted.body)).to.include({ method: 'POST', length: 300_000 })
    }
    expect((await ask(port, '/page', { agent, method: 'HEAD' })).status).to.equal(201)
    expect(await dial('ws', port), 'a link next to them').to.have.property('kind', 'bytes')
  })

  it('are handed over with their ends, whatever `Connection` says of them', async () => {
    const { port } = await listen('ws', { fallback: `127.0.0.1:${await startApp()}` })
    const body = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
    const got = await ask(
      port,
      '/page',
      { headers: { Connection: 'close, content-length, host', 'Content-Length': String(body.length), Host: 'app' } },
      body
    )
    const seen = JSON.parse(got.body) as { url: string; length: number; headers: Record<string, string> }
    expect(seen).to.include({ url: '/page', length: body.length })
    expect(seen.headers).to.include({ host: 'app', 'content-length': String(body.length) })
  })

  it('are handed to a socket path too', async () => {
    const where = path.join(dir, 'app.sock')
    await startApp(where)
    const { port } = await listen('ws', { fallback: `unix:${where}` })
    expect((await ask(port, '/')).status).to.equal(201)
  })

  it('may be WebSockets of the other server', async () => {
    const listening = await listen('ws', { fallback: `http://127.0.0.1:${await startApp()}/` })
    const ws = new WebSocket(`ws://127.0.0.1:${listening.port}/chat`)
    later(() => ws.terminate())
    await once(ws, 'open')
    ws.send('hello')
    const [data] = (await once(ws, 'message')) as [Buffer]
    expect(String(data)).to.equal('app: hello')
    ws.close(1000)
    const [code] = (await once(ws, 'close')) as [number]
    expect(code).to.equal(1000)
    expect(listening.links).to.have.length(0)
  })

  it('are answered with 502 when the other server is not there, and links go on', async () => {
    const gone = await serve((socket) => socket.destroy())
    const listening = await listen('ws', { fallback: `127.0.0.1:${gone}` })
    const { near, far } = await joined('ws', listening)
    expect((await ask(listening.port, '/')).status).to.equal(502)
    near.duplex.end('still here')
    expect(await readAll(far.duplex)).to.equal('still here')
  })

  it('that were given up are given up behind as well', async () => {
    let closed = 0
    let came = 0
    const slow = await serve((socket) => {
      socket.resume()
      came += 1
      socket.on('close', () => {
        closed += 1
      })
      socket.on('end', () => socket.end())
    })
    const { port } = await listen('ws', { fallback: `127.0.0.1:${slow}` })
    const visitor = net.connect(port, '127.0.0.1')
    visitor.on('error', () => {})
    visitor.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => came === 1)
    visitor.destroy()
    await until(() => closed === 1)
  })

  it('may take their time to be answered, and then another has ten seconds to come', async () => {
    const waiting: http.ServerResponse[] = []
    const app = http.createServer((_request, response) => void waiting.push(response))
    app.listen(0, '127.0.0.1')
    await once(app, 'listening')
    later(() => app.close())
    const listening = await listen('ws', { fallback: `127.0.0.1:${(app.address() as net.AddressInfo).port}` })
    const socket = net.connect(listening.port, '127.0.0.1')
    later(() => socket.destroy())
    let came = ''
    socket.on('data', (chunk: Buffer) => {
      came += chunk.toString('latin1')
    })
    socket.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => waiting.length === 2)
    listening.clock.advance(60_000)
    waiting[0]?.end('one')
    await until(() => came.includes('one'))
    listening.clock.advance(60_000)
    waiting[1]?.end('two')
    await until(() => came.includes('two'))
    expect(came).to.not.include('408')
    await until(() => {
      listening.clock.advance(10_000)
      return came.includes('HTTP/1.1 408')
    })
  })

  it('may come to a connection before the one for a link does', async () => {
    const listening = await listen('ws', { fallback: `127.0.0.1:${await startApp()}` })
    const socket = net.connect(listening.port, '127.0.0.1')
    later(() => socket.destroy())
    let came = ''
    socket.on('data', (chunk: Buffer) => {
      came += chunk.toString('latin1')
    })
    socket.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => came.includes('/first'))
    socket.write(request())
    await until(() => listening.links.length === 1)
  })
})

describe('the address of a client', () => {
  afterEach(cleanUp)

  const cases: readonly (readonly [what: string, trust: string[], forwarded: string | undefined, address: string])[] = [
    ['that of the connection', [], '1.2.3.4', '127.0.0.1'],
    ['what a trusted proxy says', ['127.0.0.1'], '1.2.3.4', '1.2.3.4'],
    ['what a trusted network says', ['127.0.0.0/8'], '6.6.6.6, 1.2.3.4', '1.2.3.4'],
    [
      'in front of all proxies that are trusted',
      ['127.0.0.0/8', '10.0.0.0/8'],
      '6.6.6.6, 1.2.3.4, 10.1.1.1',
      '1.2.3.4'
    ],
    ['without the port', ['127.0.0.1'], '[2001:db8::1]:4711', '2001:db8::1'],
    ['without the port, IPv4', ['127.0.0.1'], '1.2.3.4:4711', '1.2.3.4'],
    ['the proxy when that makes no sense', ['127.0.0.1'], 'unknown', '127.0.0.1'],
    ['the proxy when it says nothing', ['127.0.0.1'], undefined, '127.0.0.1'],
    ['that of the connection when another is trusted', ['10.0.0.0/8', '::1'], '1.2.3.4', '127.0.0.1']
  ]
  for (const [what, trustProxy, forwarded, address] of cases) {
    it(`is ${what}`, async () => {
      const listening = await listen('ws', { trustProxy })
      await dial('ws', listening.port, forwarded === undefined ? {} : { headers: { 'X-Forwarded-For': forwarded } })
      await until(() => listening.links.length === 1)
      expect(listening.links[0]?.peer.address).to.equal(address)
    })
  }

  it('cannot be trusted to a proxy that is not valid', async () => {
    for (const entry of ['example.org', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/x'])
      expect((await failure(listen('ws', { trustProxy: [entry] }))).code, entry).to.equal('config.invalid')
  })
})

describe('a port that ws and wss share', () => {
  afterEach(cleanUp)

  it('gives each what is its own', async () => {
    const plain = await listen('ws')
    const secure = await listen('wss', {}, plain.ports, plain.port)
    const one = await joined('ws', plain)
    const two = await joined('wss', { ...secure, port: plain.port })
    expect([one.far.peer.tls, two.far.peer.tls?.alpn]).to.deep.equal([undefined, 'http/1.1'])
    one.near.duplex.end('plain')
    two.near.duplex.end('secure')
    expect(await readAll(one.far.duplex)).to.equal('plain')
    expect(await readAll(two.far.duplex)).to.equal('secure')
    expect((await ask(plain.port, '/', { method: 'DELETE' })).status).to.equal(404)
  })
})
