import { expect } from 'chai'
import http2 from 'node:http2'
import type { Client } from '@rystra/client'
import { frame, heads, preface } from './h2-frames.js'
import {
  ask,
  frontPort,
  mirror,
  sendRaw,
  startHttpClient,
  startHttpServer,
  startHttpService,
  statusesOf
} from './http-world.js'
import { cleanUp, later } from './tunnel.js'

const HEAD = 'Host: app.localhost\r\n'
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const post = (fields: string, body: string): string => `POST /front HTTP/1.1\r\n${HEAD}${fields}\r\n${body}`

/** What hides a Transfer-Encoding from one reader of two, after the lists of the published research. */
const hidden: Readonly<Record<string, string>> = {
  'a blank before the colon': 'Transfer-Encoding : chunked\r\n',
  'a blank before the name': ' Transfer-Encoding: chunked\r\n',
  'a tab after the colon': 'Transfer-Encoding:\tchunked, identity\r\n',
  'a vertical tab': 'Transfer-Encoding: \x0bchunked\r\n',
  'a form feed': 'Transfer-Encoding: \x0cchunked\r\n',
  'a NUL': 'Transfer-Encoding: chunked\x00\r\n',
  'a fold': 'Transfer-Encoding:\r\n chunked\r\n',
  'a fold in front': 'X: y\r\n Transfer-Encoding: chunked\r\n',
  'a bare CR in front': 'X: y\rTransfer-Encoding: chunked\r\n',
  'a bare LF in front': 'X: y\nTransfer-Encoding: chunked\r\n',
  'another word': 'Transfer-Encoding: xchunked\r\n',
  quotes: 'Transfer-Encoding: "chunked"\r\n',
  'a coding in front': 'Transfer-Encoding: gzip, chunked\r\n',
  'identity behind it': 'Transfer-Encoding: chunked, identity\r\n',
  'identity in front': 'Transfer-Encoding: identity, chunked\r\n',
  'a second field behind it': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n',
  'a second field in front': 'Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n',
  'the same field again': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
  'an underscore beside it': 'Transfer_Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
  'nothing in it': 'Transfer-Encoding: \r\n'
}

const attacks: Record<string, string> = {
  'CL.TE': post(`Content-Length: ${5 + SMUGGLED.length}\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${SMUGGLED}`),
  'TE.CL': post(
    'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
    `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`
  ),
  'CL.CL, the same': post('Content-Length: 0\r\nContent-Length: 0\r\n', SMUGGLED),
  'CL.CL, two lengths': post(`Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n`, SMUGGLED),
  'CL as a list': post(`Content-Length: 0, ${SMUGGLED.length}\r\n`, SMUGGLED),
  'CL with a sign': post('Content-Length: +0\r\n', SMUGGLED),
  'CL below nought': post('Content-Length: -1\r\n', SMUGGLED),
  'CL in hexadecimal': post('Content-Length: 0x0\r\n', SMUGGLED),
  'CL with a blank in it': post('Content-Length: 0 0\r\n', SMUGGLED),
  'CL too large for a number': post('Content-Length: 18446744073709551616\r\n', SMUGGLED),
  'CL with an underscore beside it': post(`Content_Length: ${SMUGGLED.length}\r\nContent-Length: 0\r\n`, SMUGGLED),
  'CL that is empty': post('Content-Length:\r\n', SMUGGLED),
  'CL before a blank': post(`Content-Length : ${SMUGGLED.length}\r\n`, SMUGGLED),
  'CL folded': post(`Content-Length: 0\r\n ${SMUGGLED.length}\r\n`, SMUGGLED),
  'TE in HTTP/1.0': `POST /front HTTP/1.0\r\n${HEAD}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'chunk sizes with LF alone': post('Transfer-Encoding: chunked\r\n', `0\n\n${SMUGGLED}`),
  'a chunk size with 0x': post('Transfer-Encoding: chunked\r\n', `0x0\r\n\r\n${SMUGGLED}`),
  'a chunk size with a sign': post('Transfer-Encoding: chunked\r\n', `-0\r\n\r\n${SMUGGLED}`),
  'a chunk size that is too large': post('Transfer-Encoding: chunked\r\n', `100000000000000000\r\n${SMUGGLED}`),
  'a chunk extension with a bare LF': post('Transfer-Encoding: chunked\r\n', `1;a\nb\r\nx\r\n0\r\n\r\n${SMUGGLED}`),
  'a chunk that goes on': post('Transfer-Encoding: chunked\r\n', `1\r\nxy0\r\n\r\n${SMUGGLED}`),
  'two Hosts': `GET /front HTTP/1.1\r\n${HEAD}Host: other.localhost\r\n\r\n`,
  'a target with another host': `GET http://other.localhost/front HTTP/1.1\r\n${HEAD}\r\n`,
  'a Host with a path': 'GET /front HTTP/1.1\r\nHost: app.localhost/x\r\n\r\n',
  'a Host with credentials': 'GET /front HTTP/1.1\r\nHost: x@app.localhost\r\n\r\n',
  'no Host': 'GET /front HTTP/1.1\r\n\r\n',
  'a bare CR in a value': `GET /front HTTP/1.1\r\n${HEAD}X: a\rY: b\r\n\r\n`,
  'a request line with LF alone': `GET /front HTTP/1.1\n${HEAD}\r\n`,
  'a head that ends with LF alone': `GET /front HTTP/1.1\r\n${HEAD}\n`,
  'a fragment': `GET /front#x HTTP/1.1\r\n${HEAD}\r\n`,
  'HTTP/0.9': 'GET /front\r\n\r\n',
  'HTTP/2.0 in a request line': `GET /front HTTP/2.0\r\n${HEAD}\r\n`,
  'a blank in the target': `GET /front HTTP/1.1 /x HTTP/1.1\r\n${HEAD}\r\n`,
  'an empty name': `GET /front HTTP/1.1\r\n${HEAD}: x\r\n\r\n`,
  'a name with a bracket': `GET /front HTTP/1.1\r\n${HEAD}X(y): z\r\n\r\n`
}
for (const [how, field] of Object.entries(hidden)) {
  attacks[`TE.TE, ${how}`] = post(`${field}Content-Length: ${5 + SMUGGLED.length}\r\n`, `0\r\n\r\n${SMUGGLED}`)
  attacks[`TE hidden alone, ${how}`] = post(field, `0\r\n\r\n${SMUGGLED}`)
}

describe('http: smuggling', () => {
  const seen: string[] = []
  const fields: string[] = []
  let client: Client
  let port: number

  before(async () => {
    const server = await startHttpServer()
    const service = await startHttpService((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      fields.push(...request.rawHeaders)
      void mirror(request, response)
    })
    client = await startHttpClient(server, [{ name: 'app', kind: 'http', local: service.port }])
    port = frontPort(client)
  })

  beforeEach(() => {
    seen.length = 0
    fields.length = 0
  })

  after(cleanUp)

  for (const [name, bytes] of Object.entries(attacks)) {
    it(`refuses ${name}, and closes the connection`, async () => {
      const text = await sendRaw(port, bytes)
      expect(seen, `the service got ${seen.join(' and ')}`).to.not.include('GET /smuggled')
      const statuses = statusesOf(text)
      expect(statuses.length, text).to.equal(1)
      expect(statuses[0], text).to.be.oneOf([400, 501, 505])
      // A service may have seen the head of a body that turned out to be invalid; never a whole request of it.
      const { body } = await ask(port, 'app.localhost', '/after')
      expect(JSON.parse(body).target).to.equal('/after')
    })
  }

  it('takes what is behind a request for the next one only when it is, and answers both', async () => {
    const text = await sendRaw(
      port,
      `${post('Transfer-Encoding: chunked\r\n', '1;x=y\r\na\r\n0\r\n\r\n')}GET /next HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`
    )
    expect(statusesOf(text)).to.deep.equal([200, 200])
    expect(seen).to.deep.equal(['POST /front', 'GET /next'])
  })

  it("frames a request anew, so that nothing of chunk extensions or of the visitor's framing goes on", async () => {
    const text = await sendRaw(
      port,
      post(
        'Transfer-Encoding: chunked\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n',
        '1;x="\\"y"\r\na\r\n0\r\n\r\n'
      )
    )
    const { headers, body } = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1))
    expect(body).to.equal('a')
    expect(headers).to.not.have.any.keys('x-hop', 'keep-alive')
    expect(headers['transfer-encoding']).to.equal('chunked')
  })

  it('does not take the body of an upgrade for another request', async () => {
    const text = await sendRaw(
      port,
      `POST /up HTTP/1.1\r\n${HEAD}Connection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`
    )
    expect(statusesOf(text)).to.deep.equal([200])
    expect(seen).to.deep.equal(['POST /up'])
  })

  describe('by HTTP/2', () => {
    const connect = (): http2.ClientHttp2Session => {
      const session = http2.connect(`http://127.0.0.1:${port}`)
      session.on('error', () => {})
      later(() => session.destroy())
      return session
    }

    /** The status, or how the stream ended without one. */
    const tell = (headers: http2.OutgoingHttpHeaders, body?: string): Promise<string> =>
      new Promise((resolve) => {
        const session = connect()
        let stream: http2.ClientHttp2Stream
        try {
          stream = session.request({ ':authority': 'app.localhost', ':method': 'POST', ':path': '/h2', ...headers })
        } catch (error) {
          // Node does not even send it: nothing could arrive.
          resolve((error as NodeJS.ErrnoException).code ?? 'unsent')
          return
        }
        let status = ''
        stream.on('response', (head) => {
          status = String(head[':status'])
        })
        stream.on('error', () => {})
        stream.on('close', () => resolve(status === '' ? `reset ${stream.rstCode}` : status))
        stream.resume()
        stream.end(body)
      })

    it('H2.CL: a length that the body does not have is refused, too short as well as too long', async () => {
      for (const length of ['0', '3', String(SMUGGLED.length - 1), String(SMUGGLED.length + 1)]) {
        const outcome = await tell({ 'content-length': length }, SMUGGLED)
        expect(outcome, length).to.match(/^(reset [^0]|400)/)
      }
      const { body } = await ask(port, 'app.localhost', '/after')
      expect(JSON.parse(body).target).to.equal('/after')
      expect(seen).to.not.include('GET /smuggled')
    })

    it('H2.TE: Transfer-Encoding and its like are refused', async () => {
      // Node's client would not send them: so the frames are written by hand.
      for (const [name, value] of [
        ['transfer-encoding', 'chunked'],
        ['connection', 'keep-alive'],
        ['upgrade', 'websocket'],
        ['proxy-connection', 'keep-alive'],
        ['te', 'chunked'],
        ['Transfer-Encoding', 'chunked'],
        ['transfer_encoding', 'chunked'],
        [':path', '/again'],
        [':unknown', 'x'],
        ['host', 'other.localhost'],
        ['content-length', 'x'],
        ['content-length', '5, 6']
      ] as const) {
        const outcome = await tellRaw(
          port,
          [
            [':method', 'POST'],
            [':path', '/h2'],
            [':scheme', 'http'],
            [':authority', 'app.localhost'],
            [name, value]
          ],
          `0\r\n\r\n${SMUGGLED}`
        )
        expect(outcome, `${JSON.stringify(name)}: ${JSON.stringify(value)}`).to.match(/^(reset|goaway|400|closed)/)
      }
      expect(seen.filter((one) => one.includes('smuggled'))).to.deep.equal([])
    })

    it('never passes on a field that could end a line', async () => {
      for (const [name, value] of [
        ['x', 'a\r\ntransfer-encoding: chunked'],
        ['x', 'a\nb'],
        ['x', 'a\0b'],
        ['x: y\r\ntransfer-encoding', 'chunked'],
        ['x y', 'z']
      ] as const) {
        // What reads the frames leaves such a field out, or resets the stream.
        const outcome = await tellRaw(port, [...good, [name, value]])
        expect(outcome, `${JSON.stringify(name)}: ${JSON.stringify(value)}`).to.match(/^(reset|goaway|400|closed|200)/)
      }
      expect(fields.filter((one) => /^x|[\r\n\0]|chunked/i.test(one) && !/^x-forwarded/i.test(one))).to.deep.equal([])
    })

    it('takes nothing that ends a line in a pseudo-header', async () => {
      for (const [method, path, authority] of [
        ['GET', `/ HTTP/1.1\r\nHost: app.localhost\r\n\r\n${SMUGGLED}`, 'app.localhost'],
        ['GET', '/a b', 'app.localhost'],
        ['GET', '/a#b', 'app.localhost'],
        ['GET', 'x', 'app.localhost'],
        ['GET', '', 'app.localhost'],
        ['GET / HTTP/1.1\r\nX: y\r\n', '/', 'app.localhost'],
        ['G T', '/', 'app.localhost'],
        ['GET', '/', 'app.localhost\r\nX: y'],
        ['GET', '/', 'app.localhost/x'],
        ['GET', '/', 'x@app.localhost'],
        ['GET', '/', '']
      ] as const) {
        const outcome = await tellRaw(port, [
          [':method', method],
          [':path', path],
          [':scheme', 'http'],
          [':authority', authority]
        ])
        expect(outcome, JSON.stringify([method, path, authority])).to.match(/^(reset|goaway|400|closed)/)
      }
      expect(seen).to.deep.equal([])
    })

    it('serves a good request, so that all of this shows something', async () => {
      expect(
        await tellRaw(port, [
          [':method', 'GET'],
          [':path', '/good'],
          [':scheme', 'http'],
          [':authority', 'app.localhost']
        ])
      ).to.equal('200')
      expect(await tell({ 'content-length': '4' }, 'body')).to.equal('200')
      expect(seen).to.deep.equal(['GET /good', 'POST /h2'])
    })
  })
})

/** The fields of a request that nothing is wrong with. */
const good: readonly (readonly [string, string])[] = [
  [':method', 'GET'],
  [':path', '/good'],
  [':scheme', 'http'],
  [':authority', 'app.localhost']
]

/** Sends fields that a client with manners would not, and says what became of it. */
const tellRaw = async (
  port: number,
  fields: readonly (readonly [string, string])[],
  body?: string
): Promise<string> => {
  const frames = [
    preface,
    heads(1, fields, body === undefined),
    ...(body === undefined ? [] : [frame(0, 1, 1, Buffer.from(body))])
  ]
  let outcome = 'closed'
  await sendRaw(port, Buffer.concat(frames), (text) => {
    const bytes = Buffer.from(text, 'latin1')
    for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
      const type = bytes.readUInt8(at + 3)
      if (type === 3) outcome = 'reset'
      else if (type === 7) outcome = 'goaway'
      // An indexed :status of the static table: 200 is 8, 400 is 12.
      else if (type === 1) outcome = { 136: '200', 140: '400' }[bytes.readUInt8(at + 9)] ?? 'other'
      else continue
      return true
    }
    return false
  })
  return outcome
}
