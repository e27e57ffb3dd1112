import { encode, preface as linkPreface } from '@rystra/protocol'
import type { Random } from '@rystra/testkit'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { frame as rpcFrame, samples } from '../../framework/rpc/test/frames.js'
import { frame, heads, preface } from '../e2e/h2-frames.js'

/** What a peer may send: each message makes sense at some time, and comes at any. */
export type Messages = readonly Buffer[]

const uint32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * index)
  return bytes
}

const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), uint32(value)])

const link = 'AAAAAAAAAAAAAAAAAAAAAA'

/** Frames of HTTP/2, RFC 9113 §6, of one connection to `host`. */
export const h2Messages = (host: string, side: 'client' | 'server'): Messages => {
  const request = (id: number, end: boolean, ...more: [string, string][]): Buffer =>
    heads(id, [[':method', 'GET'], [':path', '/'], [':scheme', 'http'], [':authority', host], ...more], end)
  const post = (id: number, path: string, ...more: [string, string][]): Buffer =>
    heads(id, [[':method', 'POST'], [':path', path], [':scheme', 'http'], [':authority', host], ...more], false)
  const response = (id: number, status: string, end: boolean, ...more: [string, string][]): Buffer =>
    heads(id, [[':status', status], ...more], end)
  const verb = (id: number, name: string, stream = '1'): Buffer =>
    post(id, '/rystra', ['rystra', name], ['rystra-link', link], ['rystra-stream', stream])
  const trailer = (id: number): Buffer => heads(id, [['grpc-status', '0']], true)
  const shared = [
    frame(4, 0, 0),
    frame(4, 1, 0),
    frame(4, 0, 0, setting(3, 0)),
    frame(4, 0, 0, setting(8, 1)),
    frame(4, 0, 0, setting(4, 0)),
    frame(4, 0, 0, setting(6, 1)),
    frame(4, 0, 0, setting(5, 1)),
    frame(4, 0, 1),
    frame(4, 0, 0, Buffer.alloc(5)),
    frame(6, 0, 0, Buffer.alloc(8)),
    frame(6, 1, 0, Buffer.alloc(8)),
    frame(6, 0, 0, Buffer.alloc(3)),
    frame(7, 0, 0, uint32(0, 0)),
    frame(7, 0, 0, uint32(1, 1)),
    frame(7, 0, 0, uint32(0x7fffffff, 0)),
    frame(8, 0, 0, uint32(0)),
    frame(8, 0, 0, uint32(0x7fffffff)),
    frame(0, 0, 0, Buffer.from('x')),
    frame(0xee, 0xff, 1, Buffer.from('unknown')),
    frame(9, 4, 1),
    frame(5, 4, 1, uint32(2)),
    Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])
  ]
  const of = (id: number): Buffer[] => [
    frame(0, 0, id, Buffer.from('body')),
    frame(0, 1, id, Buffer.from('body')),
    frame(0, 1, id),
    frame(0, 8, id, Buffer.from([9, 1])),
    frame(2, 0, id, Buffer.concat([uint32(id), Buffer.from([1])])),
    frame(3, 0, id, uint32(0)),
    frame(3, 0, id, uint32(7)),
    frame(3, 0, id, uint32(8)),
    frame(3, 0, id, Buffer.alloc(3)),
    frame(8, 0, id, uint32(0)),
    frame(8, 0, id, uint32(65_535)),
    frame(8, 0, id, uint32(0x7fffffff)),
    trailer(id),
    frame(1, 4, id, Buffer.from([0x80])),
    frame(1, 0, id, Buffer.from([0x82]))
  ]
  if (side === 'server') {
    const answers = [1, 3].flatMap((id) => [
      response(id, '200', false, ['rystra', '1'], ['rystra-offers', '8']),
      response(id, '200', false, ['rystra', '1']),
      response(id, '200', true),
      response(id, '204', true),
      response(id, '103', false, ['link', '</a>']),
      response(id, '100', false),
      response(id, '404', true),
      response(id, '200', false, ['content-length', '3']),
      response(id, '1', true)
    ])
    return [frame(4, 0, 0, setting(8, 1)), frame(4, 0, 0), ...answers, ...answers, ...of(1), ...of(3), ...shared]
  }
  const requests = [1, 3, 5].flatMap((id) => [
    request(id, true),
    request(id, false),
    request(id, false, ['content-length', '4']),
    request(id, false, ['expect', '100-continue']),
    heads(
      id,
      [
        [':method', 'CONNECT'],
        [':authority', host]
      ],
      false
    ),
    heads(
      id,
      [
        [':method', 'CONNECT'],
        [':protocol', 'websocket'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', host]
      ],
      false
    ),
    post(id, '/'),
    verb(id, 'link'),
    verb(id, 'open', String(id)),
    verb(id, 'offer', String(id)),
    heads(id, [[':method', 'GET']], true)
  ])
  return [preface, ...requests, ...requests, ...of(1), ...of(3), ...shared]
}

const lines = (...text: string[]): Buffer => Buffer.from(`${text.join('\r\n')}\r\n\r\n`)

/** Requests of HTTP/1.1, RFC 9112, and pieces of them. */
export const h1Messages = (host: string): Messages => {
  const at = `Host: ${host}`
  return [
    lines('GET / HTTP/1.1', at),
    lines('GET / HTTP/1.1', at, 'Connection: close'),
    lines('GET /early HTTP/1.0', at),
    lines('HEAD / HTTP/1.1', at),
    lines('POST / HTTP/1.1', at, 'Content-Length: 4'),
    lines('POST / HTTP/1.1', at, 'Transfer-Encoding: chunked'),
    lines('POST / HTTP/1.1', at, 'Content-Length: 4', 'Expect: 100-continue'),
    lines('POST / HTTP/1.1', at, 'Content-Length: 4', 'Transfer-Encoding: chunked'),
    lines('GET / HTTP/1.1', at, 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'),
    lines('GET / HTTP/1.1', at, 'Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABk'),
    lines('CONNECT web.localhost:80 HTTP/1.1', at),
    lines('GET / HTTP/1.1', 'Host: nowhere.localhost'),
    lines('GET / HTTP/1.1'),
    lines('PURGEX / HTTP/1.1', at),
    lines('GET / HTTP/3.9', at),
    Buffer.from('body'),
    Buffer.from('4\r\nbody\r\n'),
    Buffer.from('0\r\n\r\n'),
    Buffer.from('0\r\nA: trailer\r\n\r\n'),
    Buffer.from('ffffffffffffffffff\r\n'),
    Buffer.from('\r\n'),
    Buffer.from('\0\0\0')
  ]
}

/** Requests to the admin API and to the metrics, from a caller with this token. */
export const adminMessages = (token: string): Messages => {
  const fields = ['Host: localhost', `Authorization: Bearer ${token}`]
  const json = [...fields, 'Content-Type: application/json']
  return [
    lines('GET /v1/events?streams=true&samples=true HTTP/1.1', ...fields),
    lines('GET /v1/status HTTP/1.1', ...fields),
    lines('GET /metrics HTTP/1.1', ...fields),
    lines('HEAD /metrics HTTP/1.1', ...fields),
    lines('GET /v1/metrics HTTP/1.1', ...fields),
    lines('GET / HTTP/1.1', ...fields),
    lines('GET /v1/inspect/exchanges HTTP/1.1', ...fields),
    lines('GET /v1/inspect/live HTTP/1.1', ...fields),
    lines('POST /v1/plan HTTP/1.1', ...json, 'Content-Length: 4'),
    lines('POST /v1/plan HTTP/1.1', ...json, 'Content-Length: 4', 'Expect: 100-continue'),
    lines('PUT /v1/log-level HTTP/1.1', ...json, 'Transfer-Encoding: chunked'),
    lines('GET /v1/events HTTP/1.1', ...fields, 'Last-Event-ID: x.1', 'Connection: close'),
    ...h1Messages('localhost')
  ]
}

/** Requests of an authority for the challenge of a host, RFC 8555 §8.3, and pieces of them. */
export const challengeRequests = (host: string): Messages => {
  const at = `Host: ${host}`
  const request = (method: string, path: string, ...fields: string[]): Buffer =>
    lines(`${method} ${path} HTTP/1.1`, at, ...fields)
  const folder = '/.well-known/acme-challenge/'
  return [
    request('GET', `${folder}token`),
    request('HEAD', `${folder}token`),
    request('POST', `${folder}token`, 'Content-Length: 4'),
    request('GET', `${folder}token`, 'Expect: 100-continue', 'Content-Length: 4'),
    request('GET', `${folder}token`, 'Upgrade: websocket', 'Connection: Upgrade'),
    request('GET', folder),
    request('GET', `${folder}../token`),
    request('GET', `${folder}__proto__`),
    request('GET', `${folder}token?x`),
    request('GET', `http://${host}${folder}token`),
    request('GET', `${folder}${'x'.repeat(4000)}`),
    ...h1Messages(host)
  ]
}

/** Answers of HTTP/1.1, and pieces of them. */
export const h1Answers: Messages = [
  lines('HTTP/1.1 200 OK', 'Content-Length: 4'),
  lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'),
  lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', 'Trailer: A'),
  lines('HTTP/1.1 200 OK', 'Connection: close'),
  lines('HTTP/1.1 204 No Content'),
  lines('HTTP/1.1 304 Not Modified', 'Content-Length: 9'),
  lines('HTTP/1.1 100 Continue'),
  lines('HTTP/1.1 103 Early Hints', 'Link: </a>; rel=preload'),
  lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'),
  lines('HTTP/1.1 200 OK', 'Content-Length: 4', 'Content-Length: 5'),
  lines('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip'),
  lines('HTTP/1.1 200 \u0001', 'Bad Field: \u0000'),
  Buffer.from('body'),
  Buffer.from('4\r\nbody\r\n'),
  Buffer.from('0\r\n\r\n'),
  Buffer.from('0\r\nA: trailer\r\n\r\n'),
  Buffer.from('\0\0\0')
]

const json = (status: string, body: unknown, ...fields: string[]): Buffer => {
  const text = JSON.stringify(body)
  const head = [`HTTP/1.1 ${status}`, 'Content-Type: application/json', `Content-Length: ${text.length}`]
  return Buffer.concat([lines(...head, 'Replay-Nonce: AAAA', ...fields), Buffer.from(text)])
}

/** Answers of an ACME authority, RFC 8555 §7, the directory first, and pieces of them. */
export const acmeAnswers: Messages = [
  json('200 OK', { newNonce: '', newAccount: '', newOrder: '' }),
  json('200 OK', { newNonce: 'https://127.0.0.1:1/', newAccount: 'http://127.0.0.1/', newOrder: 7 }),
  json('200 OK', null),
  json('200 OK', []),
  json('200 OK', { __proto__: null, newNonce: { toString: 1 } }),
  json('201 Created', { status: 'pending', authorizations: 'none', finalize: null }, 'Location: https://127.0.0.1:1/1'),
  json('400 Bad Request', { type: 'urn:ietf:params:acme:error:badNonce' }),
  json('403 Forbidden', { type: 7, detail: '\u001b[2J' }),
  json('429 Too Many Requests', {}, 'Retry-After: 99999999999'),
  lines('HTTP/1.1 302 Found', 'Location: https://127.0.0.1:1/', 'Content-Length: 0'),
  lines('HTTP/1.1 200 OK', 'Content-Type: application/json', 'Content-Length: 1'),
  Buffer.alloc(70_000, '1'),
  ...h1Answers
]

/** The opening handshake and the frames of WebSocket, RFC 6455. */
export const wsMessages = (side: 'client' | 'server'): Messages => {
  const masked = side === 'client'
  const framed = (first: number, payload = Buffer.alloc(0), mask = masked): Buffer =>
    Buffer.concat([
      Buffer.from([first, payload.length | (mask ? 0x80 : 0)]),
      mask ? Buffer.alloc(4) : Buffer.alloc(0),
      payload
    ])
  const upgrade = lines(
    'GET /rystra HTTP/1.1',
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: rystra.1'
  )
  const head = masked ? [upgrade, upgrade, ...h1Messages('localhost')] : h1Answers
  return [
    ...head,
    framed(0x82, Buffer.from(linkPreface)),
    framed(0x82, hello),
    framed(0x02, Buffer.from('part')),
    framed(0x80, Buffer.from('rest')),
    framed(0x89, Buffer.from('ping')),
    framed(0x8a),
    framed(0x88, Buffer.from([3, 232])),
    framed(0x88, Buffer.from([3])),
    framed(0x82, Buffer.from('unmasked'), !masked),
    framed(0xf2, Buffer.from('bits')),
    Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
  ]
}

const hello = Buffer.from(
  encode({
    type: 'Hello',
    minor: 0,
    id: 'fuzz',
    instance: 'fuzz',
    agent: 'fuzz',
    muxers: ['yamux', 'direct'],
    auth: ['token'],
    nonce: new Uint8Array(32),
    features: []
  })
)

/** What begins a link, and what may follow. */
export const linkMessages: Messages = [
  Buffer.from(linkPreface),
  Buffer.concat([linkPreface, hello]),
  hello,
  Buffer.from(encode({ type: 'Auth', proof: new Uint8Array(32) })),
  Buffer.from(encode({ type: 'Heartbeat', seq: 1, time: 0 })),
  Buffer.from('RYT'),
  Buffer.from([0, 0, 0, 0]),
  Buffer.from([0xff, 0xff, 0xff, 0xff])
]

/** Bytes of any kind. */
export const anyMessages: Messages = [Buffer.from('hello'), Buffer.alloc(70_000, 'x'), Buffer.alloc(1)]

/** The first flight of a TLS client, and records that do not belong there. */
export const tlsMessages = async (servername: string, alpn: string[]): Promise<Messages> => {
  const [here, there] = await pair()
  tls.connect({ socket: here, servername, ALPNProtocols: alpn }).on('error', () => {})
  const [first] = (await once(there, 'data')) as [Buffer]
  here.destroy()
  there.destroy()
  return [first, first, ...tlsRecords]
}

/** Records of TLS from either end. */
export const tlsRecords: Messages = [
  Buffer.from([0x15, 3, 3, 0, 2, 2, 40]),
  Buffer.from([0x15, 3, 3, 0, 2, 1, 0]),
  Buffer.from([0x14, 3, 3, 0, 1, 1]),
  Buffer.from([0x17, 3, 3, 0, 4, 1, 2, 3, 4]),
  Buffer.from([0x16, 3, 1, 0xff, 0xff]),
  Buffer.from([0x16, 3, 1, 0, 4, 1, 0, 0, 0]),
  Buffer.from('GET / HTTP/1.1\r\n\r\n')
]

const proxyTwo = (verb: number, family: number, body: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from('0d0a0d0a000d0a515549540a', 'hex'),
    Buffer.from([verb, family, body.length >> 8, body.length & 0xff]),
    body
  ])

/** Heads of the PROXY protocol, versions 1 and 2, and what follows them. */
export const proxiedMessages = (): Messages => [
  Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'),
  Buffer.from('PROXY TCP6 ::1 ::2 1 2\r\n'),
  Buffer.from('PROXY UNKNOWN\r\n'),
  Buffer.from('PROXY TCP4 a b c d\r\n'),
  proxyTwo(0x21, 0x11, Buffer.alloc(12, 1)),
  proxyTwo(0x21, 0x21, Buffer.alloc(36, 1)),
  proxyTwo(0x20, 0, Buffer.alloc(0)),
  proxyTwo(0x21, 0x31, Buffer.alloc(216, 1)),
  proxyTwo(0x22, 0xff, Buffer.alloc(4)),
  proxyTwo(0x21, 0x11, Buffer.alloc(3)),
  ...linkMessages
]

const pair = async (): Promise<[net.Socket, net.Socket]> => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const here = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [there] = (await once(server, 'connection')) as [net.Socket]
  server.close()
  return [here, there]
}

/** The first packets of QUIC, RFC 9000 §17.2, with what may be wrong about them. */
export const quicPackets = (random: Random): Buffer => {
  const version = [1, 0, 0x1a2a3a4a, 0x6b3343cf][random.below(4)] as number
  const id = (): Buffer => {
    const length = random.below(24)
    return Buffer.concat([Buffer.from([length]), random.bytes(length)])
  }
  const head = Buffer.concat([Buffer.from([0xc0 | random.below(64)]), uint32(version), id(), id()])
  const rest = random.bytes([0, 20, 1200, 1400][random.below(4)] as number)
  return random.below(8) === 0 ? random.bytes(random.below(64)) : Buffer.concat([head, rest])
}

const rpc = samples()

/** A MessagePack body in a request of a handler that answers. */
const rpcRequest = (id: number, body: string, name = 'disk.usage'): Buffer => {
  const text = Buffer.from(name)
  return rpcFrame(0x02, Buffer.concat([Buffer.from([1, text.length]), text, Buffer.from(body, 'hex')]), { id })
}

/** What every channel of RPC may get: frames of the other kind of channel, and some that no version has. */
const rpcAny: Messages = [
  ...Object.values(rpc),
  rpcFrame(0x0c, '00', { flags: 0xff }),
  rpcFrame(0x02, '', { flags: 0xff }),
  rpcFrame(0x06, Buffer.alloc(20_000), { flags: 0x01 }),
  rpcFrame(0x06, Buffer.alloc(20_000), { flags: 0x11 }),
  rpcFrame(0x06, '', { id: 0xffff_ffff }),
  rpcFrame(0x0b, 'fff8000000000000fff0000000000000c34d000000000000', { id: 0 }),
  Buffer.from('ffffffffffffffff', 'hex'),
  Buffer.from('02000008', 'hex')
]

/** What begins a session of RPC, and what may follow. */
export const rpcCallMessages: Messages = [
  rpc.hello,
  rpcRequest(1, '81a16101'),
  rpcRequest(2, '81a95f5f70726f746f5f5fa178'),
  rpcRequest(3, '91'.repeat(200)),
  rpcRequest(4, 'dfffffffff'),
  rpcRequest(5, 'd4ff00'),
  rpcRequest(6, 'c0', 'throws'),
  rpcRequest(7, 'c0', 'never'),
  rpcRequest(0, 'c0'),
  rpcFrame(0x07, '', { id: 7 }),
  rpcFrame(0x02, '010a6469736b2e75736167657fffffff', { flags: 0x01, id: 8 }),
  rpcFrame(0x08, 'ffffffff', { id: 0 }),
  ...rpcAny
]

/** The same of a stream. */
export const rpcStreamMessages: Messages = [
  rpcFrame(0x10, `0005${Buffer.from('video').toString('hex')}`, { id: 5 }),
  rpcFrame(0x10, `0006${Buffer.from('unread').toString('hex')}`, { id: 5 }),
  rpcFrame(0x11, Buffer.concat([Buffer.from([3]), Buffer.alloc(16_384)]), { id: 5 }),
  rpcFrame(0x11, '03616263', { id: 5 }),
  rpcFrame(0x11, '0300007fff', { flags: 0x01, id: 5 }),
  rpcFrame(0x11, '01001fffffffffffff7ff8000000000000c0', { flags: 0xc0, id: 5 }),
  rpcFrame(0x11, '01000001000000000042c8000000000000c0', { flags: 0xc0, id: 5 }),
  ...rpcAny
]
