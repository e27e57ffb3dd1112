import { isRystraError } from '@rystra/plugin'
import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { checkFields } from './check-fields.js'
import { accepted, frame } from './raw-peer.js'
import { cleanUp, dial, dir, failure, listen, readAll, serve, served, until } from './setup.js'

const answer = (...lines: readonly string[]) =>
  serve((socket) => {
    socket.once('data', () => socket.write([...lines, '', ''].join('\r\n')))
  })

const text = (name: string): Promise<string> => readFile(path.join(dir, name), 'utf8')

const accept = (socket: net.Socket, request: Buffer): void => {
  const requested = /Sec-WebSocket-Key: (.*)\r\n/i.exec(String(request))?.[1] ?? ''
  const hash = createHash('sha1').update(`${requested}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.write([...accepted, `Sec-WebSocket-Accept: ${hash}`, '', ''].join('\r\n'))
}

/** A server that accepts, and then sends what it likes. */
const accepting = (behind: Buffer, headers: readonly string[] = accepted, key?: string) =>
  serve((socket) => {
    socket.once('data', (request: Buffer) => {
      const requested = key ?? /Sec-WebSocket-Key: (.*)\r\n/i.exec(String(request))?.[1] ?? ''
      const hash = createHash('sha1').update(`${requested}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      const head = [...headers, `Sec-WebSocket-Accept: ${hash}`, '', ''].join('\r\n')
      socket.write(Buffer.concat([Buffer.from(head), behind]))
    })
  })

describe('dialing', () => {
  afterEach(cleanUp)

  const refusals: readonly (readonly [status: string, code: string, detail: RegExp, hint: RegExp])[] = [
    ['301 Moved Permanently', 'connect.refused', /301 Moved Permanently, to https:\/\/foreign\/x$/, /redirects/],
    ['400 Bad Request', 'connect.refused', /400 Bad Request$/, /path/],
    ['401 Unauthorized', 'connect.refused', /401/, /headers/],
    ['403 Forbidden', 'connect.refused', /403/, /headers/],
    ['404 Not Found', 'connect.refused', /ws:\/\/127\.0\.0\.1:\d+\/rystra answered 404 Not Found$/, /path/],
    ['407 Proxy Authentication Required', 'connect.refused', /407/, /headers/],
    ['426 Upgrade Required', 'connect.refused', /426/, /path/],
    ['429 Too Many Requests', 'connect.unreachable', /429/, /./],
    ['500 \x1b[31mred', 'connect.unreachable', /500 \?\[31mred$/, /./],
    ['502 Bad Gateway', 'connect.unreachable', /502/, /./],
    ['503 Service Unavailable', 'connect.unreachable', /503/, /./],
    ['200 OK', 'connect.refused', /200/, /path/]
  ]
  for (const [status, code, detail, hint] of refusals) {
    it(`says what an answer means: ${status.replace(/\W/g, ' ')}`, async () => {
      const location = 'Location: https://foreign/x'
      const port = await answer(`HTTP/1.1 ${status}`, location, 'Content-Length: 1000000')
      const error = await failure(dial('ws', port))
      expect([error.code, detail.test(error.detail ?? ''), hint.test(error.hint)], error.message).to.deep.equal([
        code,
        true,
        true
      ])
    })
  }

  const unauthenticatedPeers: readonly (readonly [
    what: string,
    server: () => Promise<number>,
    code: string,
    says: RegExp
  ])[] = [
    ['greets in another protocol', () => answer('SSH-2.0-OpenSSH'), 'protocol.not-rystra', /HTTP/],
    [
      'answers with a TLS alert',
      () => serve((socket) => socket.once('data', () => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 70])))),
      'protocol.not-rystra',
      /wss/
    ],
    [
      'closes without an answer',
      () => serve((socket) => socket.once('data', () => socket.end())),
      'connect.unreachable',
      /closed/
    ],
    [
      'resets',
      () => serve((socket) => socket.once('data', () => socket.resetAndDestroy())),
      'connect.unreachable',
      /closed/
    ],
    ['accepts with another key', () => accepting(Buffer.alloc(0), accepted, 'x'), 'protocol.not-rystra', /Accept/],
    [
      'accepts without the sub-protocol',
      () => accepting(Buffer.alloc(0), accepted.slice(0, 3)),
      'protocol.not-rystra',
      /subprotocol/
    ],
    [
      'accepts with a compression that was not offered',
      () => accepting(Buffer.alloc(0), [...accepted, 'Sec-WebSocket-Extensions: permessage-deflate']),
      'protocol.not-rystra',
      /extension/i
    ],
    [
      'answers with headers without end',
      () => answer('HTTP/1.1 101 Switching Protocols', `X: ${'y'.repeat(20_000)}`),
      'protocol.too-large',
      /head/
    ]
  ]
  for (const [what, server, code, says] of unauthenticatedPeers) {
    it(`says so when what is there ${what}`, async () => {
      const error = await failure(dial('ws', await server()))
      expect(error.code, error.message).to.equal(code)
      expect(`${error.message} ${error.hint}`).to.match(says)
    })
  }

  it('gives up on who is silent', async () => {
    let connected = 0
    const port = await serve(() => {
      connected += 1
    })
    for (const transport of ['ws', 'wss'] as const) {
      const clock = new FakeClock()
      const before = connected
      const dialing = failure(dial(transport, port, {}, { clock }))
      await until(() => connected > before && clock.pending > 0)
      clock.advance(10_000)
      const error = await dialing
      expect([error.code, /10 s/.test(error.message)], error.message).to.deep.equal(['connect.unreachable', true])
    }
  })

  it('takes what comes right behind the handshake', async () => {
    const { duplex } = await dial(
      'ws',
      await accepting(Buffer.concat([frame('first', { masked: false }), frame('', { masked: false })]))
    )
    expect(await readAll(duplex)).to.equal('first')
  })

  it('ends a link whose server breaks the rules', async () => {
    for (const [bytes, code] of [
      [frame('hello'), 'protocol.malformed'],
      [frame('hello', { opcode: 1, masked: false }), 'protocol.malformed'],
      [frame('x', { masked: false, length: 2n ** 40n }), 'protocol.too-large']
    ] as const) {
      const { duplex } = await dial('ws', await accepting(bytes))
      duplex.resume()
      const [error] = (await once(duplex, 'error')) as [Error]
      expect(isRystraError(error) && error.code).to.equal(code)
    }
  })

  it('masks with unpredictable keys, and with zeros inside TLS that reaches the server', async () => {
    const context = tls.createSecureContext({ cert: await text(served.cert), key: await text(served.key) })
    for (const [transport, options, zeros] of [
      ['ws', {}, false],
      ['wss', {}, true],
      ['wss', { tlsTerminated: true }, false]
    ] as const) {
      let sent = Buffer.alloc(0)
      const port = await serve((socket) => {
        const inner =
          transport === 'ws' ? socket : new tls.TLSSocket(socket, { isServer: true, secureContext: context })
        let requested = false
        inner.on('data', (chunk: Buffer) => {
          if (requested) sent = Buffer.concat([sent, chunk])
          else accept(inner, chunk)
          requested = true
        })
      })
      const { duplex } = await dial(transport, port, options)
      const large = Buffer.alloc(100_000, 'x')
      for (const bytes of [Buffer.from('aaaa'), Buffer.from('aaaa'), large]) duplex.write(bytes)
      await until(() => sent.length === 2 * 10 + 14 + large.length)
      const keys = [sent.subarray(2, 6), sent.subarray(12, 16), sent.subarray(30, 34)].map((key) => key.toString('hex'))
      if (zeros) expect(keys, transport).to.deep.equal(['00000000', '00000000', '00000000'])
      else expect(new Set(keys).size, transport).to.equal(3)
      expect(sent.subarray(34).includes('xxxxxxxx'), 'seen as it is').to.equal(zeros)
    }
  })

  it('asks for the path with the headers that were given', async () => {
    let requested = ''
    const port = await serve((socket) => {
      socket.once('data', (request: Buffer) => {
        requested = String(request)
        socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
      })
    })
    const headers = { Host: 'front.example', Authorization: 'Bearer abc', Origin: 'https://app.example' }
    await failure(dial('ws', port, { path: '/a/b?key=1', headers }))
    expect(requested).to.match(/^GET \/a\/b\?key=1 HTTP\/1\.1\r\n/)
    expect(requested).to.match(/\r\nHost: front\.example\r\n/)
    expect(requested).to.match(/\r\nAuthorization: Bearer abc\r\n/)
    expect(requested).to.match(/\r\nOrigin: https:\/\/app\.example\r\n/)
    expect(requested).to.match(/\r\nSec-WebSocket-Protocol: rystra\.1\r\n/)
    expect(requested).to.not.match(/permessage-deflate/)
  })

  it('goes through an HTTP proxy', async () => {
    const listening = await listen('ws')
    let requested = ''
    const proxy = await serve((socket) => {
      socket.once('data', (request: Buffer) => {
        requested = String(request).split('\r\n')[0] ?? ''
        const behind = net.connect(listening.port, '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
          socket.pipe(behind)
          behind.pipe(socket)
        })
        behind.on('error', () => {})
      })
    })
    const { duplex } = await dial('ws', listening.port, { proxy: `http://127.0.0.1:${proxy}` })
    await until(() => listening.links.length === 1)
    duplex.end('through')
    expect(await readAll(listening.links[0]?.duplex as never)).to.equal('through')
    expect(requested).to.equal(`CONNECT 127.0.0.1:${listening.port} HTTP/1.1`)
  })

  it('refuses fields that are no good before anything is dialed', () => {
    for (const transport of ['ws', 'wss'] as const) {
      const good = [
        {},
        { path: '/' },
        { path: '/a?b=c', headers: { 'X-Key': 'tab\there', Host: 'a' } },
        { path: '/a', proxy: 'none' }
      ]
      for (const fields of good) expect(checkFields(transport, 'dial', fields), JSON.stringify(fields)).to.equal(true)
      const bad = [
        { path: 'rystra' },
        { path: '/a b' },
        { path: '/a#b' },
        { path: '/a\r\nX: y' },
        { headers: { 'X-Key': 'a\r\nX: y' } },
        { headers: { 'X Key': 'a' } },
        { headers: { Upgrade: 'h2c' } },
        { headers: { 'sec-WebSocket-Protocol': 'a' } },
        { headers: { 'Content-length': '1' } },
        { headers: { a: 1 } }
      ]
      for (const fields of bad) expect(checkFields(transport, 'dial', fields), JSON.stringify(fields)).to.equal(false)
      for (const fallback of ['127.0.0.1:80', '[::1]:80', 'http://app:8080/', 'unix:/run/app.sock'])
        expect(checkFields(transport, 'listen', { fallback }), fallback).to.equal(true)
      for (const fallback of ['app', 'https://app:1', 'http://app:8080/path', ':80'])
        expect(checkFields(transport, 'listen', { fallback }), fallback).to.equal(false)
      expect(checkFields(transport, 'listen', { path: '/a?b' })).to.equal(false)
    }
  })
})
