import { closeWithSession } from '@rystra/net'
import { type HandedOver, type Logger, RystraError } from '@rystra/plugin'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import http2, { type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Exchange } from './exchange.js'
import type { Besides, From } from './from.js'
import type { TrustedProxies } from '@rystra/address'
import { plainAddress } from '@rystra/address'
import { ResetGuard } from './h2-guard.js'
import type { HttpOptions } from './options.js'
import { part } from './part.js'
import { beginsHttp2 } from './preface.js'
import type { Pages } from './pages.js'
import { Problem } from './problem.js'
import type { HttpProxy } from './proxy.js'
import type { Table } from './table.js'

/** What requests are served with. */
export interface World {
  readonly options: HttpOptions
  readonly table: Table<HttpProxy>
  readonly trusted: TrustedProxies
  readonly pages: Pages
  readonly log: Logger
}

const fromKey = Symbol('from')
type Known = { [fromKey]?: From }

/** Takes visitors' connections, and makes exchanges of what is asked on them. */
export class Front {
  readonly #world: World
  readonly #h1: http.Server
  readonly #h2: http2.Http2Server | undefined
  readonly #connections = new Set<Duplex>()
  readonly #sessions = new Set<ServerHttp2Session>()
  #arriving: { readonly connection: Duplex; readonly from: From } | undefined
  #retired = false
  #onEmpty: (() => void) | undefined

  constructor(world: World) {
    this.#world = world
    const { maxHeadSize, headTimeout, keepAliveTimeout } = world.options
    this.#h1 = http.createServer({
      insecureHTTPParser: false,
      requireHostHeader: false,
      maxHeaderSize: maxHeadSize,
      headersTimeout: headTimeout,
      // Bodies have a time of their own, which starts again with each piece.
      requestTimeout: 0,
      keepAliveTimeout,
      connectionsCheckingInterval: Math.min(5000, Math.max(10, headTimeout / 4))
    })
    // Node would leave out what is above: all are counted, see `readHead`.
    this.#h1.maxHeadersCount = 0
    this.#h1.on('request', (request, response) => this.#exchange(request, response))
    this.#h1.on('checkContinue', (request, response) => this.#exchange(request, response, { expect: true }))
    this.#h1.on('upgrade', (request, socket, head) => inTurn(socket, () => this.#upgrade(request, socket, head)))
    this.#h1.on('connect', (request, socket) => inTurn(socket, () => this.#refuseConnect(request, socket)))
    this.#h1.on('clientError', (error, socket) => this.#misunderstood(error, socket))
    // Node watches the time of heads on servers that listen; this one is given its connections.
    this.#h1.emit('listening')
    this.#h2 = world.options.http2 ? this.#makeH2() : undefined
  }

  #makeH2(): http2.Http2Server {
    const { options } = this.#world
    const { maxHeadSize, maxConcurrentStreams, keepAliveTimeout, answerTimeout, bodyTimeout } = options
    const server = http2.createServer({
      maxSessionMemory: 4,
      settings: { maxConcurrentStreams, maxHeaderListSize: maxHeadSize, enableConnectProtocol: false }
    })
    server.on('session', (session) => {
      const { connection, from } = this.#arriving as { connection: Duplex; from: From }
      ;(session as Known)[fromKey] = from
      closeWithSession(session, connection)
      this.#sessions.add(session)
      const guard = new ResetGuard(session)
      session.on('stream', (stream) => guard.watch(stream))
      session.on('close', () => this.#sessions.delete(session))
      session.on('error', () => {})
      let closing = false
      session.on('timeout', () => {
        if (closing) session.destroy()
        else {
          closing = true
          session.close()
          // What is asked has its own time. When nothing has moved for all of that, there is nobody.
          session.setTimeout(Math.max(answerTimeout, bodyTimeout))
        }
      })
      session.setTimeout(keepAliveTimeout)
    })
    const serve = (request: Http2ServerRequest, response: Http2ServerResponse, besides: Besides = {}): void => {
      const { session } = request.stream
      const from = session === undefined ? undefined : (session as Known)[fromKey]
      if (from !== undefined) new Exchange(this.#world, request, response, from, besides).start()
    }
    server.on('request', (request, response) => serve(request, response))
    server.on('checkContinue', (request, response) => serve(request, response, { expect: true }))
    server.on('sessionError', () => {})
    return server
  }

  /** A connection that has just come in. */
  accept(socket: Socket): void {
    const { remoteAddress = 'unknown', remotePort = 0, localAddress = 'unknown', localPort = 0 } = socket
    const from: From = {
      visitor: {
        host: plainAddress(remoteAddress),
        port: remotePort,
        to: { host: plainAddress(localAddress), port: localPort }
      },
      secure: false,
      serverName: undefined
    }
    if (!this.#admit(socket)) return
    if (this.#h2 === undefined) this.#give(socket, from, false)
    else beginsHttp2(socket, this.#world.options.headTimeout, (h2) => this.#give(socket, from, h2))
  }

  /** A connection that another kind has prepared. */
  take(connection: Duplex, { visitor, secure, serverName, alpn }: HandedOver): void {
    if (!this.#admit(connection)) return
    const from: From = { visitor, secure, serverName }
    if (this.#h2 === undefined || alpn === 'http/1.1') this.#give(connection, from, false)
    else if (alpn === 'h2') this.#give(connection, from, true)
    else beginsHttp2(connection, this.#world.options.headTimeout, (h2) => this.#give(connection, from, h2))
  }

  #admit(connection: Duplex): boolean {
    connection.on('error', () => {})
    if (this.#connections.size >= this.#world.options.maxConnections) {
      connection.destroy()
      return false
    }
    this.#connections.add(connection)
    connection.once('close', () => {
      this.#connections.delete(connection)
      if (this.#connections.size === 0) this.#onEmpty?.()
    })
    return true
  }

  #give(connection: Duplex, from: From, h2: boolean): void {
    ;(connection as Known)[fromKey] = from
    this.#arriving = { connection, from }
    if (h2) {
      // Node's HTTP/2 counts on sockets that cannot be open in one direction alone, or does not notice who goes.
      connection.once('end', () => connection.destroy())
      this.#h2?.emit('connection', connection)
    } else this.#h1.emit('connection', connection)
    this.#arriving = undefined
  }

  #exchange(request: IncomingMessage, response: ServerResponse, besides: Besides = {}): void {
    const from = (request.socket as Known)[fromKey]
    if (from === undefined) {
      request.socket.destroy()
      return
    }
    if (this.#retired) response.shouldKeepAlive = false
    const exchange = new Exchange(this.#world, request, response, from, besides)
    // Of requests that were sent ahead, each is begun when those before it are answered.
    if (response.socket === null) response.once('socket', () => exchange.start())
    else exchange.start()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const protocol = request.headers.upgrade ?? ''
    const { headers, httpVersion } = request
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0
    // h2c is not spoken this way any more, RFC 9113 §3.1, and an offer may be ignored. So is one with a body.
    const ignored = hasBody || httpVersion !== '1.1' || request.method === 'HEAD' || !isProtocol(protocol)
    if (ignored) {
      this.#again(request, socket, head)
      return
    }
    const response = new http.ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket as Socket)
    // Nobody reads what else the visitor sends, its end included.
    response.once('finish', () => part(socket))
    this.#exchange(request, response, { upgrade: { protocol, socket, head } })
  }

  /** Gives the same request to the parser once more, without its offer to change the protocol. */
  #again(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const from = (socket as Known)[fromKey] as From
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
    this.#give(socket, from, false)
  }

  #refuseConnect(request: IncomingMessage, socket: Duplex): void {
    this.#answerRaw(socket, new Problem(405, 'CONNECT is not for here'), request.headers.accept)
  }

  #misunderstood(error: Error & { code?: string }, socket: Duplex): void {
    const { maxHeadSize } = this.#world.options
    const busy = (socket as { _httpMessage?: ServerResponse | null })._httpMessage
    if (!socket.writable || error.code === 'ECONNRESET' || busy?.headersSent === true) {
      socket.destroy()
      return
    }
    const problem =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? new Problem(431, `the head is larger than ${maxHeadSize} bytes`)
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? new Problem(408, 'the head of the request did not come in time')
          : new Problem(400, 'this is not HTTP as it has to be')
    this.#answerRaw(socket, problem)
  }

  #answerRaw(socket: Duplex, problem: Problem, accept?: string): void {
    const { type, body } = this.#world.pages.render(problem, accept)
    const head = `HTTP/1.1 ${problem.status} ${http.STATUS_CODES[problem.status]}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n`
    socket.end(Buffer.concat([Buffer.from(head), body]))
    // Who does not read it is not waited for.
    const cancel = setTimeout(() => socket.destroy(), 1000).unref()
    socket.once('finish', () => socket.resume()).once('close', () => clearTimeout(cancel))
  }

  /** Another takes visitors from now on: those who are here are told to come anew with what they are answered next. */
  retire(): void {
    this.#retired = true
    for (const session of this.#sessions) session.close()
  }

  /** Closes when the last has gone, and tells. */
  whenEmpty(then: () => void): void {
    this.#onEmpty = () => {
      this.close()
      then()
    }
    if (this.#connections.size === 0) this.#onEmpty()
  }

  /** Breaks off what is left. */
  close(): void {
    this.#onEmpty = undefined
    this.#h1.close()
    for (const connection of this.#connections) connection.destroy()
    for (const session of this.#sessions) session.destroy(new RystraError('session.closing', { side: 'server' }))
  }
}

/**
 * Calls `go` when whatever was asked before on this connection is answered: Node hands a connection out as soon as it has
 * read the request, and looks after those answers no more.
 */
const inTurn = (socket: Duplex & { _httpMessage?: ServerResponse | null }, go: () => void): void => {
  const onDrain = (): void => void socket._httpMessage?.emit('drain')
  const next = (): void => {
    // Of several that wait, each takes the place of the one before.
    const before = socket._httpMessage
    if (before != null) {
      before.once('close', next)
      return
    }
    socket.off('drain', onDrain)
    // The time for which a connection may be idle began with the last answer.
    if ('setTimeout' in socket) (socket as Socket).setTimeout(0)
    if (socket.writable) go()
  }
  socket.on('drain', onDrain)
  next()
}

/** One protocol, which is not HTTP itself. */
const isProtocol = (name: string): boolean =>
  /^[!#$%&'*+.^_`|~0-9A-Za-z/-]{1,64}$/.test(name) && !/^(h2c?|http\/|tls)/i.test(name)
