import { isErrorCode, RystraError } from '@rystra/plugin'
import { tlsError } from '@rystra/tls'
import type { IncomingMessage } from 'node:http'
import { printable } from './endings.js'

/** Answers that may be others in a moment: a gateway whose server restarts, a limit on requests. */
const passing = new Set([408, 425, 429])

/** Header in which a server of ours says why it refuses: one of the codes of `tls.*`. */
export const ERROR_HEADER = 'Rystra-Error'

/** What an answer other than 101 means. */
export const refusedWith = (
  { statusCode = 0, statusMessage = '', headers }: IncomingMessage,
  at: string
): RystraError => {
  const code = String(headers['rystra-error'])
  if (code.startsWith('tls.') && isErrorCode(code)) {
    const hint = 'the server wants a valid certificate of the client: check `cert` and `key`'
    return new RystraError(code, { side: 'server', detail: `${at}, the certificate of this client`, hint })
  }
  const status = `${statusCode} ${printable(statusMessage)}`.trim()
  const detail = `${at} answered ${status}`
  if (statusCode >= 500 || passing.has(statusCode)) return new RystraError('connect.unreachable', { detail })
  const { location } = headers
  if (statusCode >= 300 && statusCode < 400 && location !== undefined) {
    const to = printable(location, 200)
    const hint = 'dial that place itself: change transport, host, port or path; redirects are not followed'
    return new RystraError('connect.refused', { detail: `${detail}, to ${to}`, hint })
  }
  if (statusCode === 401 || statusCode === 403 || statusCode === 407) {
    const hint = 'whatever is in front of the server wants credentials: give them as `headers`; and check `path`'
    return new RystraError('connect.refused', { detail, hint })
  }
  const hint =
    'check that `path` is the same on both ends, and that what is in front of the server passes WebSockets on'
  return new RystraError('connect.refused', { detail, hint })
}

/** The first byte of an alert, RFC 8446 §5.1: how a TLS server answers who does not speak TLS. */
const TLS_ALERT = 0x15

/** What went wrong between a connected socket and the answer to the request. */
export const brokenOff = (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, at: string): RystraError => {
  const { code = '', rawPacket } = error
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new RystraError('protocol.too-large', { detail: `${at}, the head of the answer`, cause: error })
  }
  if (code.startsWith('HPE_')) {
    const tls = rawPacket?.[0] === TLS_ALERT
    const hint = tls ? 'the port speaks TLS: use the transport wss' : undefined
    const detail = `${at} does not answer in HTTP`
    return new RystraError('protocol.not-rystra', { detail, cause: error, ...(hint === undefined ? {} : { hint }) })
  }
  if (code.startsWith('ERR_SSL_')) return tlsError(error, 'client', at)
  // What `ws` itself did not like about a 101 has no code.
  if (code === '') return new RystraError('protocol.not-rystra', { detail: `${at}, ${error.message}`, cause: error })
  const closed = code === 'ECONNRESET' || code === 'EPIPE'
  const detail = `${at}, ${closed ? 'it closed the connection without an answer' : code}`
  return new RystraError('connect.unreachable', { detail, cause: error })
}
