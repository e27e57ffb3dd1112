import { expect } from 'chai'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { Socket } from 'node:net'
import type { CloseStreamContext } from '@rystra/plugin'
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
import { frame, heads, preface } from './h2-frames.js'
import { cleanUp, later, until, visit } from './tunnel.js'

const HEAD = 'Host: app.localhost\r\n'

const asking = (method: string, path = '/') =>
  [
    [':method', method],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'app.localhost']
  ] as const
const get = asking('GET')
const cancel = Buffer.from([0, 0, 0, 8])

/** Resolves when the head of an answer by HTTP/2 has come. */
const answered = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) if (bytes[at + 3] === 1) resolve()
    })
  })

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
        `GET /large HTTP/1.1\r\n${HEAD}\r\nGET /small HTTP/1.1\r\n${HEAD}\r\nGET /e HTTP/1.1\r\n${HEAD}Expect: x\r\n\r\n${last}`,
        (text) => text.endsWith('changed')
      )
      expect(statusesOf(text), last).to.deep.equal([200, 200, 200, status])
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

  it('notices a visitor that leaves within a body, answered or not, and shows the service that the body is not whole', async () => {
    const seen: Promise<string>[] = []
    const { port: local } = await startHttpService((request, response) => {
      request.once('data', () => (request.url === '/early' ? response.end('enough') : response.flushHeaders()))
      seen.push(
        new Promise((resolve) => {
          request.on('end', () => resolve('whole'))
          request.socket.once('close', () => resolve('broken off'))
        })
      )
    })
    const server = await startHttpServer()
    const port = frontPort(await startHttpClient(server, [{ name: 'app', kind: 'http', local }]))
    for (const path of ['/early', '/late']) {
      const before = seen.length
      const enough = (text: string): boolean => text.includes(path === '/early' ? 'enough' : '\r\n\r\n')
      const chunk = '7\r\nnot all\r\n'
      await sendRaw(port, `POST ${path} HTTP/1.1\r\n${HEAD}Content-Length: 100\r\n\r\nnot all`, enough)
      await sendRaw(port, `POST ${path} HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk}`, enough)
      for (const leave of ['end', 'destroy', 'reset'] as const) {
        const socket = await visit(port)
        socket.write(
          Buffer.concat([preface, heads(1, asking('POST', path), false), frame(0, 0, 1, Buffer.from('not all'))])
        )
        await answered(socket)
        if (leave === 'reset') socket.write(frame(3, 0, 1, cancel))
        else socket[leave]()
      }
      expect(await Promise.all(seen), path).to.deep.equal(Array(before + 5).fill('broken off'))
    }
  })

  it('passes on the head of an answer whose body takes its time', async () => {
    const { port: local } = await startHttpService((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    })
    const server = await startHttpServer()
    const port = frontPort(await startHttpClient(server, [{ name: 'app', kind: 'http', local }]))
    const text = await sendRaw(port, `GET / HTTP/1.1\r\n${HEAD}\r\n`, (text) => text.endsWith('\r\n\r\n'))
    expect(text).to.match(/^HTTP\/1\.1 200 OK\r\nContent-Type: text\/event-stream\r\n/)
  })

  it('keeps no descriptor of a visitor who goes within an answer as the server stops', async () => {
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    const before = sockets()
    const { port: local } = await startHttpService((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    })
    const server = await startHttpServer()
    const port = frontPort(await startHttpClient(server, [{ name: 'app', kind: 'http', local }]))
    await sendRaw(port, `GET / HTTP/1.1\r\n${HEAD}\r\n`, (text) => text.endsWith('\r\n\r\n'))
    await cleanUp()
    await until(() => sockets() <= before)
  })

  it('ends what it needs no more cleanly, and cuts off a service that does not end it', async () => {
    const ends: string[] = []
    const answer = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'
    const local = await startRawService((socket) => {
      socket.on('error', (error: NodeJS.ErrnoException) => ends.push(error.code ?? ''))
      socket.on('data', () => socket.write(answer))
      socket.on('end', () => ends.push('end'))
    })
    const server = await startHttpServer()
    const client = await startHttpClient(server, [{ name: 'app', kind: 'http', local }])
    const over = new Promise<CloseStreamContext>((resolve) => server.on('streamClose', resolve))
    const here = new Promise((resolve) => client.on('streamClose', resolve))
    expect((await ask(frontPort(client), 'app.localhost')).body).to.equal('ok')
    expect((await over).reason).to.equal('reset')
    await here
    expect(ends[0]).to.equal('end')
  })

  it('ends a connection that waits for the next request cleanly', async () => {
    const ends: string[] = []
    const { port: local, server: service } = await startHttpService((_, response) => response.end('ok'))
    const closed = new Promise((resolve) => {
      service.on('connection', (socket: Socket) => {
        socket.on('error', () => ends.push('error'))
        socket.on('end', () => ends.push('end'))
        socket.on('close', resolve)
      })
    })
    const server = await startHttpServer()
    const client = await startHttpClient(server, [{ name: 'app', kind: 'http', local }])
    const over = new Promise<CloseStreamContext>((resolve) => server.on('streamClose', resolve))
    expect((await ask(frontPort(client), 'app.localhost')).body).to.equal('ok')
    client.unpublish('app')
    await closed
    expect((await over).reason).to.equal('end')
    expect(ends).to.deep.equal(['end'])
  })

  it('keeps no connection whose HTTP/2 has failed, and none of an upgrade that was not taken up', async () => {
    const { port: local } = await startHttpService((_, response) => response.end('ok'))
    const server = await startHttpServer()
    const port = frontPort(await startHttpClient(server, [{ name: 'app', kind: 'http', local }]))
    const before = server.connections
    const upgrade = `GET / HTTP/1.1\r\n${HEAD}Connection: Upgrade\r\nUpgrade: echo\r\n\r\nahead`
    for (const bytes of [Buffer.concat([preface, frame(0, 0, 0, Buffer.from('x'))]), Buffer.from(upgrade)]) {
      for (let count = 0; count < 10; count++) (await visit(port)).resume().end(bytes)
    }
    await until(() => JSON.stringify(server.connections) === JSON.stringify(before))
  })

  it('releases an HTTP/2 visitor who has made an error and is gone', async () => {
    const { port: local } = await startHttpService((_, response) => response.end(Buffer.alloc(300_000)))
    const times = { answerTimeout: 100, bodyTimeout: 100, keepAliveTimeout: 100 }
    const server = await startHttpServer({ maxConnections: 1, ...times })
    const port = frontPort(await startHttpClient(server, [{ name: 'app', kind: 'http', local }]))
    const socket = await visit(port)
    // More than the window is for, then a frame of a length that it must not have.
    socket.write(Buffer.concat([preface, heads(1, get, true)]))
    await answered(socket)
    socket.write(frame(6, 0, 0, Buffer.alloc(3)))
    socket.pause()
    await new Promise((resolve) => setImmediate(resolve))
    socket.resetAndDestroy()
    for (;;) {
      const text = await sendRaw(port, `GET / HTTP/1.1\r\nHost: none\r\nConnection: close\r\n\r\n`)
      if (statusesOf(text)[0] === 404) break
    }
  })
})
