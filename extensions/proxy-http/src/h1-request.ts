import { randomBytes } from 'node:crypto'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { RystraError } from '@rystra/plugin'
import { closeGracefully } from './close-gracefully.js'
import { flat, joinCookies, paired } from './fields.js'
import { StreamAgent } from './stream-agent.js'
import type { PendingRequest, UpstreamFailure, UpstreamHandler, UpstreamRequest, UpstreamResponse } from './upstream.js'

const agent = new StreamAgent({ keepAlive: true })

/** Methods whose requests usually have no body: others state that they have none. */
const bodilessMethods = /^(GET|HEAD|DELETE|OPTIONS|TRACE)$/

const responseOf = (message: IncomingMessage): UpstreamResponse => ({
  status: message.statusCode ?? 0,
  message: message.statusMessage ?? '',
  rawHeaders: message.rawHeaders,
  connection: message.headers.connection,
  trailer: message.headers['transfer-encoding'] === undefined ? undefined : message.headers.trailer,
  length: message.headers['content-length'],
  ended: false,
  mayHaveTrailers: message.headers['transfer-encoding'] !== undefined,
  body: message,
  trailers: () => message.rawTrailers
})

const rawHeadersOf = (request: UpstreamRequest): string[] => {
  const { method, headers, authority, hasBody, length, upgrade } = request
  const raw = ['Host', authority, ...flat(joinCookies(headers))]
  if (upgrade !== undefined) {
    raw.push('Connection', 'Upgrade', 'Upgrade', upgrade)
    // HTTP/2 has no key, RFC 8441 §5.
    const hasKey = headers.some(([name]) => name.toLowerCase() === 'sec-websocket-key')
    if (upgrade === 'websocket' && !hasKey) raw.push('Sec-WebSocket-Key', randomBytes(16).toString('base64'))
  } else if (request.acceptsTrailers) raw.push('Connection', 'keep-alive, TE', 'TE', 'trailers')
  if (length !== undefined) raw.push('Content-Length', String(length))
  else if (hasBody) raw.push('Transfer-Encoding', 'chunked')
  else if (!bodilessMethods.test(method)) raw.push('Content-Length', '0')
  if (request.expectsContinue && hasBody) raw.push('Expect', '100-continue')
  return raw
}

/** Sends a request by HTTP/1.1. `stream` emits `free` when it can be used again. */
export const sendH1 = (
  upstream: UpstreamRequest,
  stream: Duplex,
  maxHeaderSize: number,
  handler: UpstreamHandler
): PendingRequest => {
  const { method, target: path, hasBody, length, upgrade } = upstream
  const headers = rawHeadersOf(upstream)
  const request = httpRequest({ agent, stream, method, path, headers, maxHeaderSize } as object)
  // Node would drop fields above its limit: all of them are counted.
  request.maxHeadersCount = 0
  let done = false
  const fail = (error: Error & { code?: string }): void => {
    if (done) return
    done = true
    const lost: Partial<UpstreamFailure> = error.code === 'ECONNRESET' ? { processed: 'unknown' } : {}
    handler.onFailure({ error, ...lost })
  }
  let received: IncomingMessage | undefined
  request.on('error', (error) => {
    // An error behind a whole response costs the connection, and not the response.
    if (received?.complete !== true) fail(error)
  })
  request.on('continue', () => handler.onContinue())
  request.on('information', ({ statusCode, rawHeaders }) => {
    if (statusCode !== 100) handler.onInformation(statusCode, paired(rawHeaders))
  })
  request.on('response', (message) => {
    received = message
    const coding = message.headers['transfer-encoding']
    // The visitor is not told of other codings, RFC 9112 §6.1.
    if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
      fail(new RystraError('stream.reset', { side: 'client', detail: `Transfer-Encoding: ${coding.slice(0, 64)}` }))
      request.destroy()
      return
    }
    message.on('error', fail)
    message.on('end', () => {
      done = true
      // Node ends such a stream, and waits for the service without a limit.
      if (!request.shouldKeepAlive) closeGracefully(stream)
    })
    handler.onResponse(responseOf(message))
  })
  request.on('upgrade', (message, service, head) => {
    if (upgrade === undefined || done) {
      service.destroy()
      fail(new RystraError('stream.reset', { side: 'client', detail: 'it changed the protocol unasked' }))
      return
    }
    done = true
    handler.onUpgrade(responseOf(message), service, head)
  })
  if (hasBody) request.flushHeaders()
  return {
    body: request,
    end(trailers) {
      if (trailers.length > 0 && length === undefined) request.addTrailers(trailers as [string, string][])
      request.end()
    },
    abort() {
      done = true
      request.destroy()
    }
  }
}
