/** The protocol of the first bytes; `undefined` while more bytes are needed. */
export type FirstBytes = 'tls' | 'http' | 'other' | undefined

const HANDSHAKE_RECORD = 0x16

/** `PRI` is HTTP/2 with prior knowledge, RFC 9113 §3.4. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'PRI'].map(
  (method) => `${method} `
)

/** Recognises a TLS handshake and plain HTTP. */
export const firstBytes = (head: Buffer): FirstBytes => {
  if (head.length === 0) return undefined
  if (head[0] === HANDSHAKE_RECORD) return 'tls'
  const text = head.toString('latin1', 0, 8)
  if (methods.some((method) => text.startsWith(method))) return 'http'
  return methods.some((method) => method.startsWith(text)) ? undefined : 'other'
}

const body = 'This is a TLS port of Rystra: plain HTTP is not served here.\n'

/** The response to plain HTTP. Its Date shows how far apart the clocks of two ends are. */
export const plainHttpAnswer = (): string =>
  [
    'HTTP/1.1 400 Bad Request',
    `Date: ${new Date().toUTCString()}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
    '',
    body
  ].join('\r\n')

/** A fatal alert in plain text, `unexpected_message` (RFC 8446 section 6): tells any other peer that this is TLS. */
export const plainAlert = Buffer.from([0x15, 3, 3, 0, 2, 2, 10])
