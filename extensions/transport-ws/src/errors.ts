import { isErrorCode, RystraError } from '@rystra/plugin'
import { tlsError } from '@rystra/tls'
import type { IncomingMessage } from 'node:http'

/** Close codes of RFC 6455 section 7.4.1 for a protocol violation of this end. */
const violations = new Set([1002, 1003, 1007, 1008])

/** Text of a peer in printable ASCII, limited in length. */
const printable = (text: string, length = 100): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, length)

/** The error of a message after the end of a direction. */
export const messageAfterEnd = (): RystraError =>
  new RystraError('protocol.unexpected', { detail: 'WebSocket, a message after the end' })

/** The error of a link that was closed before both directions ended. */
export const closeError = (code: number, reason: Buffer, cause: Error | undefined): Error => {
  // No close frame was received.
  if (code === 1006) return cause ?? new Error('the WebSocket was closed without a close frame')
  const why = reason.length === 0 ? '' : ` ${printable(String(reason))}`
  const detail = `the peer or a proxy closed the WebSocket with ${code}${why}`
  if (code === 1009) return new RystraError('protocol.too-large', { detail })
  return new RystraError(violations.has(code) ? 'protocol.malformed' : 'mux.closed', { detail })
}

/** Status codes that may change soon: a gateway whose server restarts, a request limit. */
const transient = new Set([408, 425, 429])

/** Header in which a Rystra server gives the reason of a refusal: a `tls.*` code. */
export const ERROR_HEADER = 'Rystra-Error'

/** The error of a response other than 101. */
export const responseError = (
  { statusCode = 0, statusMessage = '', headers }: IncomingMessage,
  at: string
): RystraError => {
  const code = String(headers['rystra-error'])
  if (code.startsWith('tls.') && isErrorCode(code)) {
    const hint = 'the server requires a valid client certificate: check `cert` and `key`'
    return new RystraError(code, { side: 'server', detail: `${at}, certificate of this client`, hint })
  }
  const status = `${statusCode} ${printable(statusMessage)}`.trim()
  const detail = `${at} answered ${status}`
  if (statusCode >= 500 || transient.has(statusCode)) return new RystraError('connect.unreachable', { detail })
  const { location } = headers
  if (statusCode >= 300 && statusCode < 400 && location !== undefined) {
    const to = printable(location, 200)
    const hint = 'redirects are not followed: dial the new location (transport, host, port, path)'
    return new RystraError('connect.refused', { detail: `${detail}, to ${to}`, hint })
  }
  if (statusCode === 401 || statusCode === 403 || statusCode === 407) {
    const hint = 'a gateway requires credentials: set them in `headers`, and check `path`'
    return new RystraError('connect.refused', { detail, hint })
  }
  const hint = 'check that `path` is the same on both ends and that proxies in between pass WebSockets'
  return new RystraError('connect.refused', { detail, hint })
}

/** The first byte of a TLS alert, RFC 8446 section 5.1: a TLS server's answer to plain text. */
const TLS_ALERT = 0x15

/** The error of a handshake that got no valid response. */
export const handshakeError = (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, at: string): RystraError => {
  const { code = '', rawPacket } = error
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new RystraError('protocol.too-large', { detail: `${at}, response head`, cause: error })
  }
  if (code.startsWith('HPE_')) {
    const tls = rawPacket?.[0] === TLS_ALERT
    const hint = tls ? 'the port speaks TLS: use the transport wss' : undefined
    const detail = `${at} does not speak HTTP`
    return new RystraError('protocol.not-rystra', { detail, cause: error, ...(hint === undefined ? {} : { hint }) })
  }
  if (code.startsWith('ERR_SSL_')) return tlsError(error, 'client', at)
  // Errors of `ws` about a 101 response have no code.
  if (code === '') return new RystraError('protocol.not-rystra', { detail: `${at}, ${error.message}`, cause: error })
  const closed = code === 'ECONNRESET' || code === 'EPIPE'
  const detail = `${at}, ${closed ? 'connection closed without an answer' : code}`
  return new RystraError('connect.unreachable', { detail, cause: error })
}
