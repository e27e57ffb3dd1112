/** What a connection begins with; `undefined` while more bytes are needed. */
export type FirstBytes = 'tls' | 'http' | 'other' | undefined

const HANDSHAKE = 0x16

/** `PRI` is HTTP/2 with prior knowledge, RFC 9113 §3.4. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'PRI'].map(
  (method) => `${method} `
)

/** Tells a handshake of TLS from plain HTTP and from what is neither. */
export const firstBytes = (head: Buffer): FirstBytes => {
  if (head.length === 0) return undefined
  if (head[0] === HANDSHAKE) return 'tls'
  const text = head.toString('latin1', 0, 8)
  if (methods.some((method) => text.startsWith(method))) return 'http'
  return methods.some((method) => method.startsWith(text)) ? undefined : 'other'
}

const says = 'This is a TLS port of Rystra: what came is plain HTTP.\n'

/** The answer to plain HTTP. */
export const plainHttpAnswer = [
  'HTTP/1.1 400 Bad Request',
  'Content-Type: text/plain; charset=utf-8',
  `Content-Length: ${says.length}`,
  'Connection: close',
  '',
  says
].join('\r\n')

/** A fatal alert in the clear, `unexpected_message` (RFC 8446 §6): what is neither learns that this is TLS. */
export const plainAlert = Buffer.from([0x15, 3, 3, 0, 2, 2, 10])
