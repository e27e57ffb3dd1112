import type { StreamInfo } from '@rystra/model'
import http from 'node:http'
import { Readable } from 'node:stream'
import type { Duplex } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { StreamHandler } from './stream-handler.js'

/**
 * Answers a request, as `fetch` of Hono and of the WHATWG's service workers do. `request.signal` is aborted when the
 * visitor goes before the answer is through. A throw is logged, and answered with status 500. What cannot be a `Request`
 * is answered with 400, and never seen by the handler.
 */
export type RequestHandler = (request: Request, info: StreamInfo) => Response | Promise<Response>

/** Statuses whose answers have no body, RFC 9110 §6.4.1. */
const bodiless = new Set([204, 205, 304])

const requestOf = (message: http.IncomingMessage, signal: AbortSignal): Request => {
  const { method = 'GET', headers, rawHeaders, url = '/' } = message
  const fields = new Headers()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    fields.append(rawHeaders[index] as string, rawHeaders[index + 1] as string)
  }
  const proto = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  // An absolute URI, RFC 9112 §3.2.2, is one already.
  const at = /^https?:\/\//i.test(url) ? url : `${proto}://${headers.host ?? 'localhost'}${url === '*' ? '/*' : url}`
  const body = method === 'GET' || method === 'HEAD' ? null : (Readable.toWeb(message) as ReadableStream<Uint8Array>)
  return new Request(at, { method, headers: fields, body: body as never, duplex: 'half', signal } as RequestInit)
}

/** Sends the body as fast as the visitor takes it; `signal` gives it up. */
const send = async (body: ReadableStream<Uint8Array>, to: http.ServerResponse, signal: AbortSignal): Promise<void> => {
  const reader = body.getReader()
  const cancel = (): void => void reader.cancel(signal.reason).catch(() => {})
  signal.addEventListener('abort', cancel, { once: true })
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done || signal.aborted) return
      if (!to.write(value)) {
        await new Promise<void>((resolve) => {
          const go = (): void => {
            to.off('drain', go)
            signal.removeEventListener('abort', go)
            resolve()
          }
          to.once('drain', go)
          signal.addEventListener('abort', go, { once: true })
        })
      }
    }
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

const respond = async (response: Response, to: http.ServerResponse, signal: AbortSignal): Promise<void> => {
  const headers: Record<string, string | string[]> = Object.fromEntries(response.headers)
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) headers['set-cookie'] = cookies
  if (response.statusText === '') to.writeHead(response.status, headers)
  else to.writeHead(response.status, response.statusText, headers)
  const { body } = response
  if (body === null || to.req.method === 'HEAD' || bodiless.has(response.status)) {
    await body?.cancel()
    to.end()
    return
  }
  to.flushHeaders()
  await send(body as ReadableStream<Uint8Array>, to, signal)
  to.end()
}

const infoSymbol = Symbol('stream info')

/** A service of streams that is one of requests. Parsed by `node:http`; no port is opened. */
export const serveRequests = (
  handler: RequestHandler,
  failed: (error: unknown, info: StreamInfo) => void
): StreamHandler => {
  const answer = async (message: http.IncomingMessage, to: http.ServerResponse): Promise<void> => {
    const gone = new AbortController()
    to.once('close', () => {
      if (!to.writableFinished) gone.abort(new Error('the visitor is gone'))
    })
    const info = (message.socket as unknown as { [infoSymbol]: StreamInfo })[infoSymbol]
    let request: Request
    try {
      request = requestOf(message, gone.signal)
    } catch {
      // An invalid host, or a method that a Request cannot have: the visitor's fault, not the handler's.
      to.writeHead(400, { 'content-type': 'text/plain', connection: 'close' }).end('Bad Request\n')
      return
    }
    try {
      const response = await handler(request, info)
      if (!(response instanceof Response)) throw new TypeError('a handler of requests has to answer with a Response')
      if (gone.signal.aborted) await response.body?.cancel()
      else await respond(response, to, gone.signal)
      // Answered early: the rest of the body is discarded, since the next request is behind it.
      if (!message.readableEnded) message.removeAllListeners('data').resume()
    } catch (error) {
      if (gone.signal.aborted) return
      failed(error, info)
      if (to.headersSent) to.destroy()
      else to.writeHead(500, { 'content-type': 'text/plain', connection: 'close' }).end('Internal Server Error\n')
    }
  }
  const server = http.createServer((message, to) => {
    answer(message, to).catch(() => to.destroy())
  })
  return (stream: Duplex, info: StreamInfo) => {
    Object.defineProperty(stream, infoSymbol, { value: info })
    server.emit('connection', stream)
  }
}
