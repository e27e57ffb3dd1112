import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { createHash } from 'node:crypto'
import { defineExtension } from '@rystra/plugin'
import {
  type Answering,
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
import { cleanUp, later, otherToken, until, visit } from './tunnel.js'

const mirrored = async (...args: Parameters<typeof ask>): Promise<Mirrored> => JSON.parse((await ask(...args)).body)

describe('http: routes', () => {
  afterEach(cleanUp)

  it('finds the proxy by exact host, wildcard, subdomain, and the longest path', async () => {
    const server = await startHttpServer({ baseDomain: 'tunnel.test' })
    const named = async (name: string, spec: object) => {
      const { port } = await startHttpService((_, response) => response.end(name))
      return { name, kind: 'http', local: port, ...spec }
    }
    const client = await startHttpClient(server, [
      await named('exact', { host: 'App.Example.org' }),
      await named('wild', { host: '*.example.org' }),
      await named('sub', { subdomain: 'api' }),
      await named('named', {}),
      await named('several', { host: ['a.test', 'bücher.test'] }),
      await named('deep', { host: 'app.example.org', path: '/a/b' }),
      await named('deeper', { host: 'app.example.org', path: '/a/b/c/' })
    ])
    const port = frontPort(client)
    for (const [host, path, expected] of [
      ['app.example.org', '/', 'exact'],
      ['APP.example.ORG.', '/x?y', 'exact'],
      ['app.example.org:8080', '/', 'exact'],
      ['other.example.org', '/', 'wild'],
      ['a.b.example.org', '/', 'wild'],
      ['api.tunnel.test', '/', 'sub'],
      ['named.tunnel.test', '/', 'named'],
      ['a.test', '/', 'several'],
      ['xn--bcher-kva.test', '/', 'several'],
      ['app.example.org', '/a/b', 'deep'],
      ['app.example.org', '/a/b?c', 'deep'],
      ['app.example.org', '/a/bc', 'exact'],
      ['app.example.org', '/a/b/cd', 'deep'],
      ['app.example.org', '/a/b/c', 'deeper'],
      ['app.example.org', '/a/b/c/d/e', 'deeper'],
      ['app.example.org', '/a', 'exact']
    ] as const) {
      expect((await ask(port, host, path)).body, `${host}${path}`).to.equal(expected)
    }
    for (const host of ['example.org', 'tunnel.test', 'absent.tunnel.test', 'example.org.evil.test', '127.0.0.1']) {
      expect((await ask(port, host)).status, host).to.equal(404)
    }
    expect(client.proxies.find(({ name }) => name === 'deep')?.address).to.equal(`http://app.example.org:${port}/a/b`)
  })

  it('gives a host to one identity alone, with its paths and what is below a wildcard', async () => {
    const server = await startHttpServer()
    const proxy = (spec: object) => ({ name: 'web', kind: 'http', local: 1, ...spec })
    await startHttpClient(server, [
      { ...proxy({ host: 'app.test' }), name: 'one' },
      { ...proxy({ host: '*.wild.test' }), name: 'two' },
      { ...proxy({ host: 'deep.below.test' }), name: 'three' }
    ])
    const office = await startHttpClient(server, [], { id: 'office', token: otherToken })
    for (const spec of [
      { host: 'app.test' },
      { host: 'app.test', path: '/longer' },
      { host: 'a.wild.test' },
      { host: '*.a.wild.test' },
      { host: '*.below.test' },
      { host: ['free.test', 'app.test'] }
    ]) {
      // Asked for again by itself, since it may come free: so it is an event, not a failure.
      const refusal = once(office, 'refused')
      await office.publish(proxy(spec))
      const [{ error }] = (await refusal) as [{ error: { code: string } }]
      office.unpublish('web')
      expect(error.code, JSON.stringify(spec)).to.equal('proxy.claimed')
    }
  })

  it('refuses a wildcard over all subdomains, unless the server allows it to the identity', async () => {
    const refusal = async (options: object, host: string): Promise<string> => {
      const server = await startHttpServer({ baseDomain: 'base.test', ...options })
      const client = await startHttpClient(server, [])
      const refused = once(client, 'refused').then(([{ error }]) => error.code as string)
      const published = once(client, 'published').then(() => 'published')
      await client.publish({ name: 'web', kind: 'http', local: 1, host })
      return Promise.race([refused, published])
    }
    expect(await refusal({}, '*.base.test')).to.equal('proxy.claimed')
    expect(await refusal({}, '*.test')).to.equal('proxy.claimed')
    expect(await refusal({}, '*.a.base.test')).to.equal('published')
    expect(await refusal({ hosts: [{ identity: 'home', hosts: ['*'] }] }, '*.base.test')).to.equal('published')
    expect(await refusal({ hosts: [{ identity: 'else', hosts: ['*'] }] }, 'a.test')).to.equal('proxy.claimed')
  })

  it('is reached no more once it is taken back, and by the next who asks', async () => {
    const server = await startHttpServer()
    const { port: local } = await startHttpService((_, response) => response.end('first'))
    const { port: other } = await startHttpService((_, response) => response.end('second'))
    const client = await startHttpClient(server, [{ name: 'web', kind: 'http', local }])
    const port = frontPort(client)
    expect((await ask(port, 'web.localhost')).body).to.equal('first')
    client.unpublish('web')
    await until(() => server.proxies.length === 0)
    expect((await ask(port, 'web.localhost')).status).to.equal(404)
    const next = await startHttpClient(server, [{ name: 'web', kind: 'http', local: other }], {
      id: 'next',
      token: otherToken
    })
    expect(frontPort(next)).to.equal(port)
    expect((await ask(port, 'web.localhost')).body).to.equal('second')
  })

  it('shares a host among the members of a group', async () => {
    const server = await startHttpServer()
    const clients = await Promise.all(
      ['one', 'two'].map(async (id) => {
        const { port: local } = await startHttpService((_, response) => response.end(id))
        return startHttpClient(server, [{ name: 'web', kind: 'http', local, group: 'webs' }], { id })
      })
    )
    const [client] = clients
    if (client === undefined) throw new Error('no client')
    const port = frontPort(client)
    const bodies = new Set<string>()
    for (let index = 0; index < 4; index += 1) bodies.add((await ask(port, 'web.localhost')).body)
    expect([...bodies].sort()).to.deep.equal(['one', 'two'])
    await clients[0]?.stop({ drain: 0 })
    await until(() => server.proxies.length === 1)
    expect((await ask(port, 'web.localhost')).body).to.equal('two')
  })
})

describe('http: heads', () => {
  let port: number
  let trustedPort: number

  before(async () => {
    const { port: local } = await startHttpService((request, response) => {
      response.setHeader('X-Powered-By', 'tests')
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      response.setHeader('Connection', 'X-Hop, keep-alive')
      response.setHeader('X-Hop', 'here')
      void mirror(request, response)
    })
    const proxies = [
      { name: 'plain', kind: 'http', local },
      {
        name: 'changed',
        kind: 'http',
        local,
        path: '/app',
        stripPrefix: true,
        hostHeader: 'inner.test:81',
        requestHeaders: { set: { 'X-Set': 'new' }, add: { 'X-Add': 'more' }, remove: ['X-Gone'] },
        responseHeaders: { set: { 'X-Frame-Options': 'DENY' }, remove: ['x-powered-by'] }
      },
      {
        name: 'locked',
        kind: 'http',
        local,
        basicAuth: [
          { user: 'ann', password: 's3cret:x' },
          { user: 'bob', password: 'bøb' }
        ]
      },
      { name: 'silent', kind: 'http', local, forwarded: false }
    ]
    port = frontPort(await startHttpClient(await startHttpServer(), proxies))
    trustedPort = frontPort(await startHttpClient(await startHttpServer({ trustedProxies: ['127.0.0.0/8'] }), proxies))
  })

  after(cleanUp)

  it('tells the service who came, and drops what visitors say of themselves', async () => {
    const spoofed = {
      'X-Forwarded-For': '1.2.3.4',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'evil.test',
      X_Forwarded_For: '1.2.3.4',
      'X-Real-IP': '1.2.3.4',
      Forwarded: 'for=1.2.3.4'
    }
    const { headers, rawHeaders } = await mirrored(port, 'plain.localhost', '/', { headers: spoofed })
    expect(headers['x-forwarded-for']).to.equal('127.0.0.1')
    expect(headers['x-forwarded-proto']).to.equal('http')
    expect(headers['x-forwarded-host']).to.equal('plain.localhost')
    expect(headers['forwarded']).to.equal('for=127.0.0.1;host="plain.localhost";proto=http')
    expect(rawHeaders.join(' ')).to.not.match(/1\.2\.3\.4|evil/)
    const silent = await mirrored(port, 'silent.localhost', '/', { headers: spoofed })
    expect(silent.rawHeaders.join(' ')).to.not.match(/1\.2\.3\.4|evil|127\.0\.0\.1|forwarded/i)
  })

  it('adds to what a trusted proxy says', async () => {
    const { headers } = await mirrored(trustedPort, 'plain.localhost', '/', {
      headers: { 'X-Forwarded-For': '198.51.100.7', 'X-Forwarded-Proto': 'https', Forwarded: 'for=198.51.100.7' }
    })
    expect(headers['x-forwarded-for']).to.equal('198.51.100.7, 127.0.0.1')
    expect(headers['x-forwarded-proto']).to.equal('https')
    expect(headers['forwarded']).to.match(/^for=198\.51\.100\.7, for=127\.0\.0\.1;/)
  })

  it('changes heads as the proxy says, and takes the prefix off', async () => {
    const answer = await ask(port, 'changed.localhost', '/app/x?y=/app', {
      headers: { 'X-Gone': '1', 'x-set': 'old', 'X-Add': 'first' }
    })
    const { target, headers, rawHeaders } = JSON.parse(answer.body) as Mirrored
    expect(target).to.equal('/x?y=/app')
    expect(headers['host']).to.equal('inner.test:81')
    expect(headers['x-set']).to.equal('new')
    expect(headers['x-add']).to.equal('first, more')
    expect(rawHeaders.map((one) => one.toLowerCase())).to.not.include('x-gone')
    expect(answer.headers['x-frame-options']).to.equal('DENY')
    expect(answer.headers['x-powered-by']).to.equal(undefined)
    for (const [requested, got] of [
      ['/app', '/'],
      ['/app?q', '/?q'],
      ['/app/', '/'],
      ['/app//x', '//x']
    ] as const) {
      expect((await mirrored(port, 'changed.localhost', requested)).target, requested).to.equal(got)
    }
  })

  it('passes on every field but those about the connection, in order and case', async () => {
    const text = await sendRaw(
      port,
      'GET / HTTP/1.1\r\nhost: plain.localhost\r\nX-b: 1\r\nx-A: 2\r\nX-b: 3\r\nTE: trailers\r\nConnection: close, X-Own\r\nX-Own: 1\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n\r\n'
    )
    const { rawHeaders } = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as Mirrored
    expect(rawHeaders.slice(2, 8)).to.deep.equal(['X-b', '1', 'x-A', '2', 'X-b', '3'])
    expect(rawHeaders.join(' ')).to.not.match(/x-own|proxy-connection|h2c/i)
    const { headers, rawHeaders: back } = await ask(port, 'plain.localhost')
    expect(headers['set-cookie']).to.deep.equal(['a=1', 'b=2'])
    expect(back).to.include('X-Powered-By')
    expect(headers['x-hop']).to.equal(undefined)
  })

  it('lets in who knows the password, and keeps it to itself', async () => {
    const basic = (text: string) => ({ headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` } })
    const refused = await ask(port, 'locked.localhost')
    expect(refused.status).to.equal(401)
    expect(refused.headers['www-authenticate']).to.match(/^Basic /)
    for (const wrong of ['ann:wrong', 'ann', 'bob:s3cret:x', ':', 'ann:s3cret:x ']) {
      expect((await ask(port, 'locked.localhost', '/', basic(wrong))).status, wrong).to.equal(401)
    }
    expect((await ask(port, 'locked.localhost', '/', { headers: { authorization: 'Bearer x' } })).status).to.equal(401)
    for (const right of ['ann:s3cret:x', 'bob:bøb']) {
      const { headers } = await mirrored(port, 'locked.localhost', '/', basic(right))
      expect(headers, right).to.not.have.property('authorization')
    }
    const { headers } = await mirrored(port, 'plain.localhost', '/', basic('x:y'))
    expect(headers, "without basicAuth it is the service's").to.have.property('authorization')
  })
})

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

describe('http: hooks', () => {
  afterEach(cleanUp)

  it('asks hooks about each request and answer, and tells them and the client of the end', async () => {
    const closed: [string, number, number][] = []
    const hook = defineExtension({
      name: 'requests',
      setup({ hooks, role }) {
        if (role === 'client') return
        hooks.onRequest.tap((context) => {
          if (context.target === '/deny') return { deny: 'not today' }
          if (context.target === '/limit') return { deny: 'too many', retryAfter: 7 }
          if (context.target === '/own') return { respond: { status: 299, headers: [['X-Own', '1']], body: 'own' } }
          context.headers.push(['X-Hook', context.host])
          context.target = `/hooked${context.target}`
          return undefined
        })
        hooks.onResponse.tap((context) => {
          context.headers.push(['X-Seen', String(context.status)])
          context.status = 202
        })
        hooks.onCloseRequest.tap(({ request, status, bytesToVisitor }) =>
          closed.push([request.target, status, bytesToVisitor])
        )
      }
    })
    const { port: local } = await startHttpService((request, response) => void mirror(request, response))
    const client = await startHttpClient(await startHttpServer({}, [hook()]), [{ name: 'app', kind: 'http', local }])
    const notices: unknown[] = []
    client.on('notice', (...args: unknown[]) => notices.push(args))
    const port = frontPort(client)
    const answer = await ask(port, 'app.localhost', '/x')
    const { target, headers } = JSON.parse(answer.body) as Mirrored
    expect([answer.status, answer.headers['x-seen'], target, headers['x-hook']]).to.deep.equal([
      202,
      '200',
      '/hooked/x',
      'app.localhost'
    ])
    const denied = await ask(port, 'app.localhost', '/deny')
    expect([denied.status, denied.headers['x-rystra-error']]).to.deep.equal([403, 'stream.refused'])
    expect(denied.body).to.include('Not today')
    const limited = await ask(port, 'app.localhost', '/limit')
    expect([limited.status, limited.headers['retry-after']]).to.deep.equal([429, '7'])
    const own = await ask(port, 'app.localhost', '/own', { method: 'POST', body: 'ignored' })
    expect([own.status, own.body, own.headers['x-own']]).to.deep.equal([299, 'own', '1'])
    await until(() => closed.length === 4 && notices.length === 4)
    expect(closed[0]).to.deep.equal(['/hooked/x', 202, Buffer.byteLength(answer.body)])
    expect(JSON.stringify(notices[0])).to.include('"path":"/x"').and.to.include('"status":202')
  })

  it('asks hooks before it asks for a password: who guesses is counted, and told of', async () => {
    const closed: [string, number][] = []
    const hook = defineExtension({
      name: 'guesses',
      setup({ hooks, role }) {
        if (role === 'client') return
        let left = 2
        hooks.onRequest.tap(({ headers }) => {
          expect(headers.map(([name]) => name.toLowerCase())).to.not.include('authorization')
          left -= 1
          return left < 0 ? { deny: 'too many', retryAfter: 9 } : undefined
        })
        hooks.onCloseRequest.tap(({ request, status }) => void closed.push([request.method, status]))
      }
    })
    let came = 0
    const { port: local } = await startHttpService((_, response) => {
      came += 1
      response.end('in')
    })
    const basicAuth = { user: 'ann', password: 'right' }
    const client = await startHttpClient(await startHttpServer({}, [hook()]), [
      { name: 'app', kind: 'http', local, basicAuth }
    ])
    const port = frontPort(client)
    const statuses: number[] = []
    for (const auth of ['ann:wrong', 'ann:right', 'ann:wrong'])
      statuses.push((await ask(port, 'app.localhost', '/', { auth })).status)
    expect(statuses).to.deep.equal([401, 200, 429])
    await until(() => closed.length === 3)
    expect(closed).to.deep.equal(statuses.map((status) => ['GET', status]))
    expect(came).to.equal(1)
  })

  it('shares no connection among visitors when hooks look at who visits', async () => {
    const ports: number[] = []
    const hook = defineExtension({
      name: 'guard',
      setup: ({ hooks, role }) => {
        if (role === 'server') hooks.onOpenStream.tap(({ visitor }) => void ports.push(visitor.port))
      }
    })
    const { port: local } = await startHttpService((_, response) => response.end('ok'))
    const client = await startHttpClient(await startHttpServer({}, [hook()]), [{ name: 'app', kind: 'http', local }])
    const port = frontPort(client)
    for (let index = 0; index < 3; index += 1) await ask(port, 'app.localhost')
    expect(new Set(ports).size, 'each visitor was looked at').to.equal(3)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    later(() => agent.destroy())
    for (let index = 0; index < 3; index += 1) await ask(port, 'app.localhost', '/', { agent })
    expect(ports.length, 'one visitor uses its own again').to.equal(4)
  })
})
