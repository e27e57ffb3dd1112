import { acceptHttp } from '@rystra/net'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { closeGracefully } from './close-gracefully.js'
import type { ConnectionInfo, ExchangeOptions } from './connection-info.js'
import { Exchange } from './exchange.js'
import type { World } from './world.js'
import { Problem } from './problem.js'
import { startExchange } from './start.js'
import { H1Writer } from './response-writer.js'
import { H1VisitorRequest } from './visitor-request.js'

/** Milliseconds for which a visitor may take a response that ends its connection. */
const LINGER_MS = 1000

/** Milliseconds for which a draining connection may be idle, at most twice. */
const IDLE_CHECK_MS = 1000

/** HTTP/1 connections of visitors. */
export class H1Front {
  readonly #world: World
  readonly #server: http.Server
  readonly #connections = new WeakMap<Duplex, ConnectionInfo>()
  readonly #responses = new Set<ServerResponse>()
  #retired = false
  #closingIdle: NodeJS.Timeout | undefined

  constructor(world: World) {
    this.#world = world
    const { maxHeadSize, headTimeout, keepAliveTimeout } = world.options
    const server = http.createServer({
      insecureHTTPParser: false,
      requireHostHeader: false,
      maxHeaderSize: maxHeadSize,
      headersTimeout: headTimeout,
      // Bodies have a limit of their own, which starts again with each piece.
      requestTimeout: 0,
      keepAliveTimeout,
      connectionsCheckingInterval: Math.min(5000, Math.max(10, headTimeout / 4))
    })
    // Node would drop fields above its limit: all of them are counted, see `readHead`.
    server.maxHeadersCount = 0
    server.on('request', (request, response) => this.#exchange(request, response))
    server.on('checkContinue', (request, response) => this.#exchange(request, response, { expectsContinue: true }))
    // An expectation other than 100-continue may be ignored, RFC 9110 §10.1.1; Node would answer 417 on its own.
    server.on('checkExpectation', (request, response) => this.#exchange(request, response))
    server.on('upgrade', (request, socket, head) => inTurn(socket, () => this.#upgrade(request, socket, head)))
    server.on('connect', (request, socket) =>
      inTurn(socket, () => this.refuse(socket, new Problem(405, 'CONNECT is not supported'), request.headers.accept))
    )
    server.on('clientError', (error, socket) => this.#failed(error, socket))
    // Node checks the time of heads on servers that listen; this one is given its connections.
    server.emit('listening')
    this.#server = server
  }

  accept(socket: Duplex, connection: ConnectionInfo): void {
    this.#connections.set(socket, connection)
    acceptHttp(this.#server, socket)
  }

  #exchange(request: IncomingMessage, response: ServerResponse, options: Partial<ExchangeOptions> = {}): void {
    const connection = this.#connections.get(request.socket)
    if (connection === undefined) {
      request.socket.destroy()
      return
    }
    if (this.#retired) response.shouldKeepAlive = false
    this.#responses.add(response)
    response.once('close', () => this.#responses.delete(response))
    const writer = new H1Writer(response)
    const visitorRequest = new H1VisitorRequest(request)
    const exchange = new Exchange(this.#world, visitorRequest, writer, { ...options, connection })
    const start = (): void => startExchange(exchange, connection, visitorRequest, writer, this.#world)
    // Pipelined requests begin when those before them are answered.
    if (response.socket === null) response.once('socket', start)
    else start()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const protocol = request.headers.upgrade ?? ''
    const { headers, httpVersion } = request
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0
    // An offer may be ignored: that of h2c, RFC 9113 §3.1, and one with a body.
    const ignored = hasBody || httpVersion !== '1.1' || request.method === 'HEAD' || !isProtocol(protocol)
    if (ignored) {
      this.#again(request, socket, head)
      return
    }
    const response = new http.ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket as Socket)
    // Node does not read the connection any more, its end included.
    response.once('finish', () => closeGracefully(socket))
    this.#exchange(request, response, { upgrade: { protocol, socket, head } })
  }

  /** Gives the same request to the parser once more, without its offer to change the protocol. */
  #again(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#connections.get(socket) as ConnectionInfo
    const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`]
    const { rawHeaders } = request
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] as string
      const value = rawHeaders[index + 1] as string
      if (/^(upgrade|http2-settings)$/i.test(name)) continue
      if (name.toLowerCase() !== 'connection') lines.push(`${name}: ${value}`)
      else {
        const rest = value.split(',').filter((one) => !/^\s*(upgrade|http2-settings)?\s*$/i.test(one))
        if (rest.length > 0) lines.push(`${name}: ${rest.join(',')}`)
      }
    }
    socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
    this.accept(socket, connection)
  }

  #failed(error: Error & { code?: string; rawPacket?: Buffer }, socket: Duplex): void {
    const { maxHeadSize } = this.#world.options
    const busy = (socket as { _httpMessage?: ServerResponse | null })._httpMessage
    if (!socket.writable || error.code === 'ECONNRESET' || busy?.headersSent === true) {
      socket.destroy()
      return
    }
    if (error.code === 'HPE_HEADER_OVERFLOW') {
      this.refuse(socket, new Problem(431, `header fields of more than ${maxHeadSize} bytes`))
    } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      this.refuse(socket, new Problem(408, 'the head of the request did not arrive in time'))
    } else {
      const method = error.code === 'HPE_INVALID_METHOD' ? methodIn(error.rawPacket) : undefined
      this.refuse(
        socket,
        method === undefined
          ? new Problem(400, 'malformed HTTP request')
          : new Problem(501, `the method ${method} is not supported by the HTTP parser of Node.js`)
      )
    }
  }

  /** Answers without a parsed request, and closes the connection. */
  refuse(socket: Duplex, problem: Problem, accept?: string): void {
    const { type, body } = this.#world.pages.render(problem, accept)
    const { status, code } = problem
    const head = [
      `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`,
      `Content-Type: ${type}`,
      `Content-Length: ${body.length}`,
      'Cache-Control: no-store',
      `X-Rystra-Error: ${code}`,
      'Connection: close'
    ].join('\r\n')
    socket.end(Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]))
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
    socket.once('finish', () => socket.resume()).once('close', () => clearTimeout(timer))
  }

  /** The present response of each connection, or the next one, ends it. */
  retire(): void {
    this.#retired = true
    for (const response of this.#responses) if (!response.headersSent) response.shouldKeepAlive = false
  }

  /** The same, and a connection without a request is closed after a second, RFC 9112 §9.5. */
  drain(): void {
    this.retire()
    this.#closingIdle ??= setInterval(() => this.#server.closeIdleConnections(), IDLE_CHECK_MS).unref()
  }

  close(): void {
    clearInterval(this.#closingIdle)
    this.#server.close()
  }
}

/** The method of a request that the parser does not know. */
const methodIn = (packet: Buffer | undefined): string | undefined =>
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) \S+ HTTP\/1\.[01]\r\n/.exec(packet?.toString('latin1', 0, 4096) ?? '')?.[1]

/**
 * Calls `go` when the requests before on this connection are answered: Node hands a connection over as soon as it has
 * read the request, and does not drive those responses any more.
 */
const inTurn = (socket: Duplex & { _httpMessage?: ServerResponse | null }, go: () => void): void => {
  const onDrain = (): void => void socket._httpMessage?.emit('drain')
  const next = (): void => {
    // Each of several pending responses takes the place of the one before.
    const before = socket._httpMessage
    if (before != null) {
      before.once('close', next)
      return
    }
    socket.off('drain', onDrain)
    // The idle time of the connection began with the last response.
    if ('setTimeout' in socket) (socket as Socket).setTimeout(0)
    if (socket.writable) go()
  }
  socket.on('drain', onDrain)
  next()
}

/** One protocol, which is not HTTP itself. */
const isProtocol = (name: string): boolean =>
  /^[!#$%&'*+.^_`|~0-9A-Za-z/-]{1,64}$/.test(name) && !/^(h2c?|http\/|tls)/i.test(name)
