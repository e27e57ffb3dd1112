import { expect } from 'chai'
import { once } from 'node:events'
import type net from 'node:net'
import type { ServerHttp2Stream } from 'node:http2'
import { frame, heads } from './h2-frames.js'
import { authority, get, response, session, startH2Service, tunnel } from './h2-world.js'
import { ask, sendRaw, startHttpService, startRawService, statusesOf } from './http-world.js'
import { cleanUp, until } from './tunnel.js'

const goAway = (lastStream: number, code: number): Buffer => {
  const payload = Buffer.alloc(8)
  payload.writeUInt32BE(lastStream, 0)
  payload.writeUInt32BE(code, 4)
  return frame(7, 0, 0, payload)
}

/** Ids of the streams whose heads a peer has sent. */
const headsIn = (bytes: Buffer): number[] => {
  const ids: number[] = []
  for (let at = 24; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === 1) ids.push(bytes.readUInt32BE(at + 5))
  }
  return ids
}

/** A service by hand: called with each connection, its number, and the streams that were opened on it so far. */
const startFrames = (onHeads: (socket: net.Socket, connection: number, ids: number[]) => void): Promise<number> => {
  let connections = 0
  return startRawService((socket) => {
    connections += 1
    const connection = connections
    let read = Buffer.alloc(0)
    socket.write(frame(4, 0, 0))
    socket.on('data', (chunk: Buffer) => {
      const before = headsIn(read).length
      read = Buffer.concat([read, chunk])
      const ids = headsIn(read)
      if (ids.length > before) onHeads(socket, connection, ids)
    })
  })
}

const respond = (id: number, body: string): Buffer =>
  Buffer.concat([heads(id, [[':status', '200']], false), frame(0, 1, id, Buffer.from(body))])

describe('HTTP/2 to services that limit or end connections', () => {
  afterEach(cleanUp)

  it('opens another connection where a service takes no more streams', async () => {
    const sessions = new Set<unknown>()
    const silent: ServerHttp2Stream[] = []
    const onStream = (stream: ServerHttp2Stream, headers: object): void => {
      sessions.add(stream.session)
      stream.respond({ ':status': 200 })
      if (':path' in headers && headers[':path'] === '/silent') silent.push(stream)
      else stream.end('answered')
    }
    const { port } = await startH2Service(onStream, { maxConcurrentStreams: 2 })
    const visitor = session(await tunnel(port, { h2: true }))
    for (let index = 0; index < 5; index += 1) {
      visitor.request({ ':authority': authority, ':path': '/silent' }).on('error', () => {})
    }
    await until(() => silent.length === 5)
    expect((await get(visitor)).body).to.equal('answered')
    expect(sessions.size).to.equal(3)
  })

  it('passes on heads above 64 KiB where they are allowed, both ways', async () => {
    const field = 'f'.repeat(30_000)
    const fields = { 'x-1': field, 'x-2': field, 'x-3': field }
    const { port: h2 } = await startH2Service(
      (stream, headers) => {
        stream.respond({ ':status': 200, 'x-3': String(headers['x-3']) })
        stream.end()
      },
      { maxHeaderListSize: 500_000 }
    )
    const { port: h1 } = await startHttpService((_, response) => response.writeHead(200, fields).end())
    for (const [local, spec, sent] of [
      [h2, { h2: true }, fields],
      [h1, {}, {}]
    ] as const) {
      const front = await tunnel(local, spec, { maxHeadSize: 200_000 })
      const { headers } = await get(session(front, { maxSendHeaderBlockLength: 500_000 }), '/', sent)
      expect([headers[':status'], String(headers['x-3']).length], JSON.stringify(spec)).to.deep.equal([200, 30_000])
    }
  })

  it('refuses a single field that HTTP/2 does not carry, and goes on with the connection', async () => {
    const field = 'f'.repeat(90_000)
    const { port: h1 } = await startHttpService((_, response) => response.writeHead(200, { 'x-1': field }).end())
    const { port: h2 } = await startH2Service((stream) => {
      stream.respond({ ':status': 200 })
      stream.end()
    })
    const options = { maxHeadSize: 200_000 }
    const visitor = session(await tunnel(h1, {}, options))
    for (const _ of [1, 2]) {
      const { headers, body } = await get(visitor)
      expect(headers[':status']).to.equal(502)
      expect(body).to.include('cannot be passed on')
    }
    const refused = await ask(await tunnel(h2, { h2: true }, options), authority, '/', { headers: { 'x-1': field } })
    expect([refused.status, refused.body]).to.deep.equal([
      431,
      '431 Request Header Fields Too Large\nA header field of more than 65536 bytes, over HTTP/2.\n(http.431)\n'
    ])
  })

  for (const code of [0, 11]) {
    it(`sends what is behind the last stream of a GOAWAY (code ${code}) once more, and awaits the rest`, async () => {
      const port = await startFrames((socket, connection, ids) => {
        if (connection > 1) socket.write(respond(ids.at(-1) as number, 'second connection'))
        else if (ids.length === 2) {
          socket.write(goAway(1, code))
          socket.write(respond(1, 'first connection'))
        }
      })
      const visitor = session(await tunnel(port, { h2: true }))
      const first = get(visitor)
      const post = visitor.request({ ':authority': authority, ':method': 'POST' })
      post.end('a body')
      expect([(await first).body, (await response(post)).body]).to.deep.equal(['first connection', 'second connection'])
    })
  }

  it('sends a POST once more when a GOAWAY with an error says that it was not processed', async () => {
    const port = await startFrames((socket, connection, ids) => {
      if (connection > 1) socket.write(respond(ids.at(-1) as number, 'second connection'))
      else socket.end(goAway(0, 2))
    })
    const front = await tunnel(port, { h2: true })
    const answered = await ask(front, authority, '/', { method: 'POST', body: 'a body' })
    expect([answered.status, answered.body]).to.deep.equal([200, 'second connection'])
  })
})

describe('HTTP/2 of visitors, with little said', () => {
  afterEach(cleanUp)

  const short = { keepAliveTimeout: 60, answerTimeout: 60, bodyTimeout: 60 }

  it('keeps a response as long as its proxy allows, and a WebSocket for ever', async () => {
    const { port, server } = await startHttpService((_, response) => {
      response.write('begun ')
      setTimeout(() => response.end('and ended'), 300)
    })
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n')
      socket.on('error', () => {}).pipe(socket)
    })
    const front = await tunnel(port, { bodyTimeout: 10_000 }, short)
    const webSocket = session(front)
    await once(webSocket, 'remoteSettings')
    const stream = webSocket.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':authority': authority,
      ':path': '/'
    })
    await once(stream, 'response')
    expect((await get(session(front))).body).to.equal('begun and ended')
    stream.write('still there')
    expect(String((await once(stream, 'data'))[0])).to.equal('still there')
    stream.close()
  })

  it('closes a connection without requests', async () => {
    const { port } = await startHttpService((_, response) => response.end('answered'))
    const idle = session(await tunnel(port, {}, short))
    const closed = once(idle, 'close')
    expect((await get(idle)).body).to.equal('answered')
    await closed
  })
})

describe('an expectation that is not known', () => {
  afterEach(cleanUp)

  it('is ignored, over either version of HTTP', async () => {
    const { port } = await startHttpService((_, response) => response.end('answered'))
    const front = await tunnel(port)
    const request = `GET / HTTP/1.1\r\nHost: ${authority}\r\nExpect: more\r\nConnection: close\r\n\r\n`
    expect(statusesOf(await sendRaw(front, request))).to.deep.equal([200])
    expect((await get(session(front), '/', { expect: 'more' })).headers[':status']).to.equal(200)
  })
})
