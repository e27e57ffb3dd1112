import { expect } from 'chai'
import type { Socket } from 'node:net'
import { ask, startHttpService, startRawService } from './http-world.js'
import { cleanUp, until } from './tunnel.js'
import { publishBoth } from './bad-world.js'

describe('http: bad input', () => {
  afterEach(cleanUp)

  it('names what failed, in HTML for browsers and in plain text for others', async () => {
    const gone = await startRawService(() => {})
    const { port, rest } = await publishBoth(gone)
    const plain = await ask(port, 'none.localhost', '/x')
    expect([plain.status, plain.headers['content-type'], plain.headers['cache-control']]).to.deep.equal([
      404,
      'text/plain; charset=utf-8',
      'no-store'
    ])
    expect(plain.headers['x-rystra-error']).to.equal('http.404')
    expect(plain.body).to.include('none.localhost/x').and.not.include('good')
    const html = await ask(port, 'none.localhost', '/<script>&', { headers: { accept: 'text/html,*/*' } }).catch(
      () => undefined
    )
    expect(html?.headers['content-type']).to.equal('text/html; charset=utf-8')
    expect(html?.body).to.include('&lt;script&gt;&amp;').and.not.include('<script>')
    await rest()
  })

  it('answers 502 for a service that is absent, and 404 once it is not published any more', async () => {
    const { port: free, server: closing } = await startHttpService(() => {})
    closing.close()
    const { port, rest, client, server } = await publishBoth(free)
    const { status, headers, body } = await ask(port, 'app.localhost')
    expect([status, headers['x-rystra-error']]).to.deep.equal([502, 'stream.service-unreachable'])
    expect(body).to.include('the service behind it cannot be reached')
    await rest()
    await client.stop({ drain: 0 })
    await until(() => server.proxies.length === 0)
    expect((await ask(port, 'app.localhost')).status).to.equal(404)
  })

  it('answers 502 for services that break off before or within a head, or do not speak HTTP', async () => {
    const answers: Record<string, (socket: Socket) => void> = {
      reset: (socket) => socket.resetAndDestroy(),
      end: (socket) => socket.end(),
      'half a head': (socket) => socket.end('HTTP/1.1 200 OK\r\nX: '),
      'no HTTP': (socket) => socket.end('SSH-2.0-x\r\n'),
      'both lengths': (socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
      'two lengths': (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd'),
      'a bare LF': (socket) => socket.write('HTTP/1.1 200 OK\nX: y\r\n\r\n'),
      'a large head': (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(1_000_000)}\r\n\r\n`),
      'many fields': (socket) => socket.write(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(3000)}\r\n`),
      'an upgrade without a request': (socket) =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    }
    let answer: (socket: Socket) => void = () => {}
    const local = await startRawService((socket) => socket.once('data', () => answer(socket)))
    const { port, rest } = await publishBoth(local)
    for (const [name, act] of Object.entries(answers)) {
      answer = act
      const { status, headers } = await ask(port, 'app.localhost', '/', { method: 'POST' })
      expect([status, headers['x-rystra-error']], name).to.deep.equal([502, 'stream.reset'])
    }
    await rest()
  })

  it('shows a visitor that an answer was cut off within its body, whatever ends bodies', async () => {
    const heads = ['Content-Length: 100\r\n', 'Transfer-Encoding: chunked\r\n', '']
    let head = ''
    const local = await startRawService((socket) =>
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n5\r\nhello\r\n`, () => socket.resetAndDestroy())
      })
    )
    const { port, rest } = await publishBoth(local)
    for (const field of heads) {
      head = field
      const error = await ask(port, 'app.localhost', '/').catch((thrown: NodeJS.ErrnoException) => thrown)
      // Nothing may have been passed on yet: then a page says so.
      if (error instanceof Error) expect((error as NodeJS.ErrnoException).code, field).to.equal('ECONNRESET')
      else expect(error.status, field).to.equal(502)
    }
    await rest()
  })

  it('never takes what a service says unasked for an answer to the next visitor', async () => {
    let connections = 0
    const local = await startRawService((socket) => {
      connections += 1
      socket.once('data', () =>
        socket.write(
          `HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${connections}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`
        )
      )
    })
    const { port } = await publishBoth(local)
    for (let index = 0; index < 4; index += 1) {
      const { body } = await ask(port, 'app.localhost').catch(() => ({ body: '' }))
      expect(body).to.not.include('evil')
    }
    expect(connections).to.be.above(1)
  })

  it('answers 504 for a service that never answers, and for one that stops within its answer breaks off', async () => {
    const local = await startRawService((socket) =>
      socket.on('data', (chunk: Buffer) => {
        if (String(chunk).startsWith('GET /half')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
      })
    )
    const silent = await publishBoth(local, { answerTimeout: 100 })
    const { status, headers, body } = await ask(silent.port, 'app.localhost')
    expect([status, headers['x-rystra-error']]).to.deep.equal([504, 'stream.timeout'])
    expect(body).to.include('did not answer in time')
    await silent.rest()
    const { port, rest } = await publishBoth(local, { bodyTimeout: 100 })
    const broken = await ask(port, 'app.localhost', '/half').catch((error: NodeJS.ErrnoException) => error)
    expect((broken as NodeJS.ErrnoException).code).to.equal('ECONNRESET')
    await rest()
  })
})
