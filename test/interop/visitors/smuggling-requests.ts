import { type Field, h2Request } from './h2-frames.js'

export const host = 'app.localhost'
const head = `Host: ${host}\r\n`
/** What must never be taken for a request. */
export const hidden = `GET /smuggled HTTP/1.1\r\n${head}\r\n`

const post = (fields: string, body: string): string => `POST /front HTTP/1.1\r\n${head}${fields}\r\n${body}`
const length = 5 + hidden.length

/** What hides a Transfer-Encoding from one reader of two. */
const codings: readonly string[] = [
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
  'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding : chunked',
  ' Transfer-Encoding: chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: \x0cchunked',
  'Transfer-Encoding: chunked\x00',
  'Transfer-Encoding:\r\n chunked',
  'X: y\r\n Transfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
  'transfer_encoding: chunked',
  'Transfer-Encoding: CHUNKED',
  'Transfer-Encoding;: chunked',
  'Transfer-Encoding: chunked;x'
]

const lengths: readonly string[] = [
  `Content-Length: 0\r\nContent-Length: ${hidden.length}`,
  `Content-Length: ${hidden.length}\r\nContent-Length: 0`,
  `Content-Length: 0, ${hidden.length}`,
  'Content-Length: +0',
  'Content-Length: -1',
  'Content-Length: 0x0',
  'Content-Length: 0 0',
  'Content-Length: 18446744073709551616',
  `Content_Length: ${hidden.length}\r\nContent-Length: 0`,
  'Content-Length:',
  `Content-Length : ${hidden.length}`,
  `Content-Length: 0\r\n ${hidden.length}`
]

const chunks: readonly string[] = [
  `0\n\n${hidden}`,
  `0x0\r\n\r\n${hidden}`,
  `-0\r\n\r\n${hidden}`,
  `100000000000000000\r\n${hidden}`,
  `1;a\nb\r\nx\r\n0\r\n\r\n${hidden}`,
  `1\r\nxy0\r\n\r\n${hidden}`,
  `2\r\nx\r\n0\r\n\r\n${hidden}`
]

const te = 'Transfer-Encoding: chunked'
const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`

/** Families of attacks, each a list of what is sent on a connection. */
export const overHttp1: Readonly<Record<string, readonly string[]>> = {
  'CL.TE': [
    post(`Content-Length: ${length}\r\n${te}\r\n`, `0\r\n\r\n${hidden}`),
    post(`${te}\r\nContent-Length: ${length}\r\n`, `0\r\n\r\n${hidden}`)
  ],
  'TE.CL': [post(`${te}\r\nContent-Length: 4\r\n`, chunk), post(`Content-Length: 4\r\n${te}\r\n`, chunk)],
  'TE.TE': codings.flatMap((coding) => [
    post(`${coding}\r\nContent-Length: ${length}\r\n`, `0\r\n\r\n${hidden}`),
    post(`Content-Length: 4\r\n${coding}\r\n`, chunk)
  ]),
  'CL.CL': lengths.map((field) => post(`${field}\r\n`, hidden)),
  chunks: chunks.map((body) => post(`${te}\r\n`, body)),
  'HTTP/1.0 and none': [
    `POST /front HTTP/1.0\r\n${head}Connection: keep-alive\r\n${te}\r\n\r\n0\r\n\r\n${hidden}`,
    `POST /front HTTP/1.1\r\n${head}Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    `GET /front HTTP/1.1\r\n${head}Content-Length: ${hidden.length}\r\n\r\n${hidden}`,
    `HEAD /front HTTP/1.1\r\n${head}Content-Length: ${hidden.length}\r\n\r\n${hidden}`
  ]
}

const pseudo = (path = '/front'): Field[] => [
  [':method', 'POST'],
  [':path', path],
  [':scheme', 'http'],
  [':authority', host]
]
const h2 = (fields: readonly Field[], body: string, path?: string): Buffer =>
  h2Request([...pseudo(path), ...fields], body)

export const overHttp2: Readonly<Record<string, readonly Buffer[]>> = {
  'H2.CL': ['0', '3', String(hidden.length - 1), String(hidden.length + 1), 'x', '5, 6', '+1'].map((value) =>
    h2([['content-length', value]], hidden)
  ),
  'H2.TE': [
    ['transfer-encoding', 'chunked'],
    ['Transfer-Encoding', 'chunked'],
    ['transfer-encoding', 'identity, chunked'],
    ['transfer_encoding', 'chunked'],
    ['connection', 'transfer-encoding'],
    ['te', 'chunked']
  ].map(([name = '', value = '']) => h2([[name, value]], `0\r\n\r\n${hidden}`)),
  'H2, lines in fields': [
    h2([['x', 'a\r\ntransfer-encoding: chunked']], `0\r\n\r\n${hidden}`),
    h2([['x', `a\r\n\r\n${hidden}`]], ''),
    h2([['x: y\r\ntransfer-encoding', 'chunked']], `0\r\n\r\n${hidden}`),
    h2([['x', 'a\0b']], ''),
    h2([], '', `/ HTTP/1.1\r\nHost: ${host}\r\n\r\n${hidden}`),
    h2([['host', 'other.localhost']], hidden)
  ]
}
