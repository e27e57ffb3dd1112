import { acceptHttp } from '@rystra/net'
import type { ServerTls } from '@rystra/tls'
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { HttpError, problemOf } from './problem.js'

/** Milliseconds for the head of a request. */
const HEAD_TIMEOUT_MS = 10_000
/** Milliseconds for a whole request. */
const REQUEST_TIMEOUT_MS = 30_000
/** Milliseconds that an idle connection is kept. */
const KEEP_ALIVE_MS = 30_000
const MAX_HEAD_BYTES = 16 * 1024
/** Connections beyond the maximum that are answered by 503, so that their callers see why; further ones are closed. */
const MAX_REFUSED = 64
/** Milliseconds until those are closed. */
const REFUSAL_TIMEOUT_MS = 2000
/** Milliseconds that responses under way have when the listener closes. */
const CLOSE_TIMEOUT_MS = 1000

/** Where requests come in. */
export interface FrontInfo {
  readonly kind: 'unix' | 'tcp'
  readonly secure: boolean
}

const fronts = new WeakMap<IncomingMessage, FrontInfo>()

/** Where a request came in. */
export const frontOf = (request: IncomingMessage): FrontInfo => fronts.get(request) ?? { kind: 'tcp', secure: false }

/** Known of a connection also to the TLS on it; a unix socket has no port, and no TLS. */
const identityOf = (socket: Socket): string | Socket =>
  socket.remotePort === undefined ? socket : `${socket.remoteAddress} ${socket.remotePort}`

/** How a {@link Front} is made. */
export interface FrontOptions {
  readonly kind: FrontInfo['kind']
  readonly tls?: ServerTls
  /** Maximum of connections. */
  readonly connections: number
  readonly handle: RequestListener
}

/** HTTP on connections that are given to it. */
export class Front {
  readonly #server: http.Server
  readonly #sockets = new Set<Socket>()
  /** Of connections beyond the maximum. */
  readonly #refused = new Set<string | Socket>()
  readonly #max: number
  #closing = false

  constructor({ kind, tls, connections, handle }: FrontOptions) {
    const info: FrontInfo = Object.freeze({ kind, secure: tls !== undefined })
    this.#max = connections
    const options: http.ServerOptions = {
      headersTimeout: HEAD_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
      connectionsCheckingInterval: 5000
    }
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      fronts.set(request, info)
      // A caller that goes must not end the process.
      response.on('error', () => {})
      if (this.#closing) {
        // What decides about requests may be out of date.
        response.writeHead(503, { connection: 'close', 'content-length': '0' }).end()
        return
      }
      if (this.#refused.has(identityOf(request.socket))) this.#refuse(response)
      else handle(request, response as ServerResponse & { req: IncomingMessage })
    }
    if (tls === undefined) this.#server = http.createServer(options, listener)
    else {
      const server = https.createServer({ ...options, ...tls.options, handshakeTimeout: HEAD_TIMEOUT_MS }, listener)
      tls.onChange = (context) => server.setSecureContext(context)
      server.on('tlsClientError', (_error, socket) => socket.destroy())
      this.#server = server
    }
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
      if (!socket.writable) socket.destroy()
      else
        socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    })
    // Node checks timeouts on servers that listen; this one is given its connections.
    this.#server.emit('listening')
  }

  accept(socket: Socket): void {
    const isRefused = this.#sockets.size - this.#refused.size >= this.#max
    if (this.#closing || (isRefused && this.#refused.size >= MAX_REFUSED)) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => this.#sockets.delete(socket))
    if (isRefused) this.#holdRefused(socket)
    // With half-open allowed Node would wait after an end within the handshake.
    if (this.#server instanceof https.Server) socket.allowHalfOpen = false
    acceptHttp(this.#server, socket)
  }

  #holdRefused(socket: Socket): void {
    const identity = identityOf(socket)
    this.#refused.add(identity)
    const timer = setTimeout(() => socket.destroy(), REFUSAL_TIMEOUT_MS)
    socket.once('close', () => {
      clearTimeout(timer)
      this.#refused.delete(identity)
    })
  }

  #refuse(response: ServerResponse): void {
    const problem = problemOf(
      new HttpError(503, 'admin.busy', `${this.#max} connections are open (options.connections)`)
    )
    response.writeHead(503, { connection: 'close', 'content-type': 'application/problem+json', 'retry-after': '1' })
    response.end(JSON.stringify(problem))
  }

  /** Answers what is in flight, for a second at most, and closes all connections. */
  async close(): Promise<void> {
    this.#closing = true
    this.#server.closeIdleConnections()
    this.#server.close()
    const closed = [...this.#sockets].map(
      (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))
    )
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, CLOSE_TIMEOUT_MS)
    await Promise.all(closed)
    clearTimeout(timer)
  }
}
