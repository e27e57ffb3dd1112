import http from 'node:http'
import type net from 'node:net'
import type { Credentials } from './choice.js'
import { basic, ProxyAuthError, seen } from './errors.js'

/** Bytes of the head of an answer, the limit of Node's own servers too. */
const MAX_HEAD = 16 * 1024

/** Has an HTTP proxy connect `socket` to `target`, `host:port`: RFC 9110, section 9.3.6. Rejects with what went wrong. */
export const httpConnect = (socket: net.Socket, target: string, credentials?: Credentials): Promise<void> =>
  new Promise((resolve, reject) => {
    const request = http.request({
      method: 'CONNECT',
      path: target,
      createConnection: () => socket,
      headers: {
        host: target,
        'user-agent': 'rystra',
        'proxy-connection': 'keep-alive',
        ...(credentials === undefined ? {} : { 'proxy-authorization': `Basic ${basic(credentials)}` })
      },
      maxHeaderSize: MAX_HEAD
    })
    // Node would ask the proxy to close.
    request.removeHeader('connection')
    request.on('connect', (answer, _socket, behind) => {
      const { statusCode = 0 } = answer
      if (statusCode < 200 || statusCode > 299) return reject(refusal(answer, credentials))
      if (behind.length > 0) socket.unshift(behind)
      resolve()
    })
    request.on('error', (error) => reject(failure(error, credentials)))
    request.end()
  })

const refusal = (answer: http.IncomingMessage, credentials: Credentials | undefined): Error => {
  const line = `HTTP/${answer.httpVersion} ${answer.statusCode} ${answer.statusMessage}`.trimEnd()
  const said = seen(Buffer.from(line, 'latin1'), credentials)
  if (answer.statusCode !== 407) return new Error(`it answered ${said}`)
  const offered = (answer.headers['proxy-authenticate'] ?? []).toString()
  if (offered !== '' && !/\bbasic\b/i.test(offered)) {
    return new ProxyAuthError(`it takes no password by the method Basic: ${said}`)
  }
  return new ProxyAuthError(`${credentials === undefined ? 'it asks for credentials' : 'it refused them'}: ${said}`)
}

/** Without the error itself: that of the parser has the bytes, which may be ours again. */
const failure = (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, credentials?: Credentials): Error => {
  if (error.code === 'HPE_HEADER_OVERFLOW') return new Error(`the head of its answer has more than ${MAX_HEAD} bytes`)
  if (error.code?.startsWith('HPE_')) {
    const bytes = error.rawPacket ?? Buffer.alloc(0)
    return new Error(`it does not speak HTTP; it sent ${seen(bytes, credentials)}`)
  }
  if (error.code === 'ECONNRESET') return new Error('it closed the connection without an answer')
  return new Error(error.code ?? error.message)
}
