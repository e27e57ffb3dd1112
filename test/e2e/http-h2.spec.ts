import { expect } from 'chai'
import { once } from 'node:events'
import http, { type IncomingHttpHeaders } from 'node:http'
import http2, { type ClientHttp2Stream, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { frame, heads, preface } from './h2-frames.js'
import { type Mirrored, mirror, startRawService, startHttpService } from './http-world.js'
import { cleanUp, until, visit } from './tunnel.js'
import { authority, startH2Service, tunnel, session, response, get } from './h2-world.js'

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants

describe('http: HTTP/2 on both sides', () => {
  afterEach(cleanUp)

  it('ends a response with its head where the service does, and has no frame too many', async () => {
    const { port: local } = await startH2Service((stream, { ':path': path }) => {
      if (path === '/empty') stream.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: true })
      else {
        stream.respond({ ':status': 200 })
        stream.end('body')
      }
    })
    const visitor = session(await tunnel(local, { h2: true }))
    const empty = await get(visitor, '/empty')
    expect([empty.headers['grpc-status'], empty.endedWithHead, empty.body]).to.deep.equal(['5', true, ''])
    expect(await get(visitor)).to.include({ endedWithHead: false, body: 'body' })
  })

  it('answers 431 for too many or too large fields, and 502 for those of a service', async () => {
    const { port: local } = await startH2Service((stream) => {
      stream.respond(Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`x-${index}`, 'v'])))
      stream.end()
    })
    const visitor = session(await tunnel(local, { h2: true }, { maxHeadSize: 8192 }))
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, 'v']))
    for (const headers of [
      many(126),
      many(129),
      many(250),
      { large: 'v'.repeat(9000) },
      { large: 'v'.repeat(50_000) }
    ]) {
      const { headers: got } = await get(visitor, '/', headers)
      const status = Object.keys(headers).length === 126 ? 502 : 431
      expect([got[':status'], got['x-rystra-error']]).to.deep.equal([
        status,
        status === 502 ? 'stream.reset' : 'http.431'
      ])
    }
  })

  it('passes on the code of a reset in both directions', async () => {
    const atService: ServerHttp2Stream[] = []
    const { port: local } = await startH2Service((stream, { ':path': path }) => {
      atService.push(stream)
      if (path === '/wait') return
      // Without it, Node would send an end before the reset.
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.write('begun')
      if (path === '/reset') setImmediate(() => stream.close(NGHTTP2_ENHANCE_YOUR_CALM))
    })
    const visitor = session(await tunnel(local, { h2: true }))
    const request = (path: string): ClientHttp2Stream =>
      visitor.request({ ':authority': authority, ':path': path }).on('error', () => {})
    const closed = async (stream: http2.Http2Stream): Promise<number | undefined> => {
      if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
      return stream.rstCode
    }
    expect(await closed(request('/reset').resume())).to.equal(NGHTTP2_ENHANCE_YOUR_CALM)
    for (const [path, code] of [
      ['/wait', 0xd],
      ['/', NGHTTP2_CANCEL]
    ] as const) {
      atService.length = 0
      const stream = request(path).resume()
      if (path === '/') await once(stream, 'data')
      await until(() => atService.length === 1)
      stream.close(code)
      expect(await closed(atService[0] as ServerHttp2Stream)).to.equal(code)
    }
  })

  it('resets a response that a service of HTTP/1.1 has cut, and never ends it', async () => {
    for (const field of ['', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 100\r\n']) {
      let atService: Socket | undefined
      const local = await startRawService((socket) => {
        atService = socket
        socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\n${field}\r\n5\r\nhello\r\n`))
      })
      const stream = session(await tunnel(local)).request({ ':authority': authority })
      stream.on('error', () => {}).resume()
      await once(stream, 'data')
      atService?.resetAndDestroy()
      await new Promise((resolve) => stream.once('close', resolve))
      expect(stream.rstCode, field).to.equal(NGHTTP2_INTERNAL_ERROR)
    }
  })

  it('sends a call that a service refused once more, with the body that was sent already', async () => {
    let calls = 0
    const answerSecond = async (stream: ServerHttp2Stream): Promise<void> => {
      calls += 1
      if (calls === 1) {
        stream.close(NGHTTP2_REFUSED_STREAM)
        return
      }
      let body = ''
      for await (const chunk of stream) body += String(chunk)
      stream.respond({ ':status': 200 })
      stream.end(`${body} again`)
    }
    const { port: local } = await startH2Service((stream) => void answerSecond(stream))
    const visitor = session(await tunnel(local, { h2: true }))
    const stream = visitor.request({ ':authority': authority, ':method': 'POST' })
    stream.write('a body ')
    await until(() => calls >= 1)
    stream.end('in two parts')
    expect((await response(stream)).body).to.equal('a body in two parts again')
  })

  it('answers what is in flight when a service says GOAWAY, and has the next request on a new connection', async () => {
    const streams: ServerHttp2Stream[] = []
    const sessions = new Set<unknown>()
    const { port: local } = await startH2Service((stream, { ':path': path }) => {
      sessions.add(stream.session)
      if (path === '/wait') streams.push(stream)
      else {
        stream.respond({ ':status': 200 })
        stream.end('next')
      }
    })
    const visitor = session(await tunnel(local, { h2: true }))
    const waiting = get(visitor, '/wait')
    await until(() => streams.length === 1)
    streams[0]?.session?.close()
    await until(() => streams[0]?.session?.closed === true)
    await until(async () => (await get(visitor)).body === 'next' && sessions.size === 2)
    streams[0]?.respond({ ':status': 200 })
    streams[0]?.end('late')
    expect((await waiting).body).to.equal('late')
  })

  it('holds back a service for visitors that do not read, and for no other', async () => {
    const upstreams = new Set<http2.ServerHttp2Session>()
    const large = Buffer.alloc(4 * 1024 * 1024, 'l')
    const { port: local } = await startH2Service((stream, { ':path': path }) => {
      if (stream.session !== undefined) upstreams.add(stream.session as http2.ServerHttp2Session)
      stream.respond({ ':status': 200 })
      stream.end(path === '/large' ? large : 'small')
    })
    const port = await tunnel(local, { h2: true })
    for (let count = 0; count < 8; count += 1) {
      const stalled = session(port).request({ ':authority': authority, ':path': '/large' })
      stalled.on('error', () => {})
      await once(stalled, 'response')
    }
    expect((await get(session(port))).body).to.equal('small')
    const [upstream] = upstreams
    expect(upstream?.remoteSettings.initialWindowSize).to.equal(256 * 1024)
    expect(upstream?.state.remoteWindowSize, 'of the connection').to.be.greaterThan(1024 * 1024)
  })

  it('passes on every informational response', async () => {
    const { port: local } = await startH2Service((stream) => {
      stream.additionalHeaders({ ':status': 102 })
      stream.additionalHeaders({ ':status': 103, link: '</a>; rel=preload' })
      stream.respond({ ':status': 200 })
      stream.end('ok')
    })
    const port = await tunnel(local, { h2: true })
    const seen: unknown[] = []
    const stream = session(port).request({ ':authority': authority })
    stream.on('headers', (headers: http2.IncomingHttpHeaders) => seen.push([headers[':status'], headers['link']]))
    expect((await response(stream)).body).to.equal('ok')
    const request = http.get({ host: '127.0.0.1', port, headers: { host: authority }, agent: false })
    request.on('information', ({ statusCode, headers }: { statusCode: number; headers: IncomingHttpHeaders }) =>
      seen.push([statusCode, headers['link']])
    )
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
    answer.resume()
    const link = '</a>; rel=preload'
    expect(seen).to.deep.equal([
      [102, undefined],
      [103, link],
      [102, undefined],
      [103, link]
    ])
  })

  it('joins cookies that HTTP/2 has split', async () => {
    const { port: local } = await startHttpService(mirror)
    const { body } = await get(session(await tunnel(local)), '/', { cookie: ['a=1', 'b=2', 'c=3'] })
    const { rawHeaders } = JSON.parse(body) as Mirrored
    expect(rawHeaders.filter((_, at) => rawHeaders[at - 1]?.toLowerCase() === 'cookie')).to.deep.equal([
      'a=1; b=2; c=3'
    ])
  })

  it('ignores priorities', async () => {
    const { port: local } = await startHttpService((_, answer) => answer.end('ok'))
    const visitor = await visit(await tunnel(local))
    const priority = (id: number): Buffer => frame(2, 0, id, Buffer.from([0x80, 0, 0, 3, 255]))
    const request = heads(
      1,
      [
        [':method', 'GET'],
        [':path', '/'],
        [':scheme', 'http'],
        [':authority', authority]
      ],
      true
    )
    visitor.write(Buffer.concat([preface, priority(1), priority(5), request, priority(1), priority(7)]))
    let came = ''
    for await (const chunk of visitor) {
      came += String(chunk)
      if (came.includes('ok')) break
    }
    expect(came).to.contain('ok')
  })
})
