import http from 'node:http'
import type net from 'node:net'
import type { Credentials } from './choice.js'
import { basic, ProxyAuthError, excerpt } from './errors.js'

/** Largest response head, the default of Node's own servers. */
const MAX_HEAD_BYTES = 16 * 1024

/** Sends CONNECT for `target` (`host:port`), RFC 9110 section 9.3.6. Rejects with the reason. */
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
      maxHeaderSize: MAX_HEAD_BYTES
    })
    // Node's default is `connection: close`.
    request.removeHeader('connection')
    request.on('connect', (response, _socket, rest) => {
      const { statusCode = 0 } = response
      if (statusCode < 200 || statusCode > 299) return reject(refusal(response, credentials))
      if (rest.length > 0) socket.unshift(rest)
      resolve()
    })
    request.on('error', (error) => reject(failure(error, credentials)))
    request.end()
  })

const refusal = (response: http.IncomingMessage, credentials: Credentials | undefined): Error => {
  const line = `HTTP/${response.httpVersion} ${response.statusCode} ${response.statusMessage}`.trimEnd()
  const status = excerpt(Buffer.from(line, 'latin1'), credentials)
  if (response.statusCode !== 407) return new Error(`proxy answered ${status}`)
  const offered = (response.headers['proxy-authenticate'] ?? []).toString()
  if (offered !== '' && !/\bbasic\b/i.test(offered)) {
    return new ProxyAuthError(`proxy does not support Basic authentication: ${status}`)
  }
  return new ProxyAuthError(
    `${credentials === undefined ? 'proxy requires credentials' : 'proxy refused the credentials'}: ${status}`
  )
}

/** The parser's error is not the cause: it carries the received bytes, which may echo credentials. */
const failure = (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, credentials?: Credentials): Error => {
  if (error.code === 'HPE_HEADER_OVERFLOW')
    return new Error(`response head of the proxy is larger than ${MAX_HEAD_BYTES} bytes`)
  if (error.code?.startsWith('HPE_')) {
    const bytes = error.rawPacket ?? Buffer.alloc(0)
    return new Error(`proxy does not speak HTTP: received ${excerpt(bytes, credentials)}`)
  }
  if (error.code === 'ECONNRESET') return new Error('proxy closed the connection without an answer')
  return new Error(error.code ?? error.message)
}
