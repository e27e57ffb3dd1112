import { TrustedProxies } from '@rystra/address'
import { acceptHttp } from '@rystra/net'
import { type ByteLink, type Link, type Logger, RystraError } from '@rystra/plugin'
import { tlsFacts } from '@rystra/tls'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'
import { BINDING_HEADER, bindingHash, hopByHopFacts } from './channel-binding.js'
import { Fallback, type Forwarded } from './fallback.js'
import { Handshake } from './handshake.js'
import { DEFAULT_PATH, MAX_HEAD_BYTES, SUBPROTOCOL } from './limits.js'
import type { ListenWs } from './options.js'
import { ERROR_HEADER } from './errors.js'
import { WsStream } from './stream.js'
import type { PendingRequests } from './pending-requests.js'

/** What an {@link HttpServer} needs besides its options. */
export interface HttpServerHost {
  readonly pending: PendingRequests
  /** See `WsOptions`. */
  readonly pingInterval: number
  readonly log: Logger
  /** Name of the transport in the log. */
  readonly transport: string
  readonly onLink: (link: Link) => void
}

/** A response that closes the connection. */
interface FinalResponse {
  readonly status: 400 | 403 | 404 | 408 | 426
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

const notFound: FinalResponse = { status: 404, text: 'Nothing here.' }
const upgradeRequired: FinalResponse = {
  status: 426,
  text: 'A WebSocket is expected here.',
  headers: { Upgrade: 'websocket' }
}
const wrongProtocol: FinalResponse = {
  status: 400,
  text: `The WebSocket sub-protocol ${SUBPROTOCOL} is expected here.`
}

/** HTTP on accepted connections: a WebSocket on the path becomes a link, other requests are refused or forwarded. */
export class HttpServer {
  readonly #options: Partial<ListenWs> & { readonly tlsTerminated?: boolean }
  readonly #host: HttpServerHost
  readonly #path: string
  readonly #proxies: TrustedProxies
  readonly #fallback: Fallback | undefined
  /** Used as parser; it never listens. */
  readonly #http: http.Server
  readonly #webSockets = new WebSocketServer({
    WebSocket: Handshake,
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: () => SUBPROTOCOL
  })

  /** Requests in flight of a connection: with pipelining there may be several. */
  readonly #inFlight = new WeakMap<Socket, number>()
  readonly #refused = new WeakMap<Socket, RystraError>()

  constructor(options: Partial<ListenWs> & { readonly tlsTerminated?: boolean }, host: HttpServerHost) {
    this.#options = options
    this.#host = host
    this.#path = options.path ?? DEFAULT_PATH
    this.#proxies = new TrustedProxies(options.trustProxy ?? [], 'trustProxy')
    this.#fallback = options.fallback === undefined ? undefined : new Fallback(options.fallback)
    this.#http = http.createServer({ maxHeaderSize: MAX_HEAD_BYTES })
    this.#http.on('request', (request, response) => this.#requested(request, response))
    this.#http.on('upgrade', (request, socket, head) => this.#upgrading(request, socket as Socket, head))
    this.#http.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
      this.#malformed(error, socket as Socket)
    )
    this.#webSockets.on('headers', (headers, { socket }) => {
      headers.push(`${BINDING_HEADER}: ${bindingHash(this.#factsOf(socket))}`)
    })
  }

  /** Takes a connection from its first byte on. With `refusal` every request gets that error. */
  take(socket: Socket, refusal?: RystraError): void {
    if (refusal !== undefined) this.#refused.set(socket, refusal)
    this.#await(socket)
    acceptHttp(this.#http, socket)
  }

  #await(socket: Socket): void {
    this.#host.pending.add(socket, () => {
      this.#logRefusal(socket, new RystraError('protocol.timeout', { side: 'client', detail: 'no request' }))
      answerOn(socket, { status: 408, text: 'The request took too long.' })
    })
  }

  #logRefusal(socket: Socket, error: RystraError): void {
    const { log, transport } = this.#host
    log.debug({ err: error, peer: `${socket.remoteAddress}:${socket.remotePort}`, transport }, 'peer refused')
  }

  /** Malformed or oversized HTTP. Earlier requests of the connection may have been valid. */
  #malformed(error: NodeJS.ErrnoException, socket: Socket): void {
    this.#host.pending.remove(socket)
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const large = error.code === 'HPE_HEADER_OVERFLOW'
    const code = large ? 'protocol.too-large' : 'protocol.not-rystra'
    const detail = large ? `request head of more than ${MAX_HEAD_BYTES} bytes` : 'not HTTP'
    this.#logRefusal(socket, new RystraError(code, { side: 'client', detail, cause: error }))
    answerOn(socket, { status: 400, text: large ? 'Too many headers.' : 'Not HTTP.' })
  }

  #refusalOf(socket: Socket): FinalResponse | undefined {
    const error = this.#refused.get(socket)
    return error && { status: 403, text: error.message, headers: { [ERROR_HEADER]: error.code } }
  }

  #isLinkRequest({ url = '' }: IncomingMessage): boolean {
    return url === this.#path || url.startsWith(`${this.#path}?`)
  }

  #forwarded({ socket }: IncomingMessage): Forwarded {
    const { remoteAddress: from = 'unknown' } = socket
    return { from, trusted: this.#proxies.has(from), secure: socket instanceof TLSSocket }
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    this.#host.pending.remove(socket)
    const refusal = this.#refusalOf(socket)
    const isLink = this.#isLinkRequest(request)
    if (refusal === undefined && !isLink && this.#fallback !== undefined) {
      this.#inFlight.set(socket, (this.#inFlight.get(socket) ?? 0) + 1)
      response.once('close', () => this.#answered(socket))
      this.#fallback.request(request, response, this.#forwarded(request))
      return
    }
    const { status, text, headers } = refusal ?? (isLink ? upgradeRequired : notFound)
    response.writeHead(status, { 'Content-Type': 'text/plain', ...headers, Connection: 'close' }).end(`${text}\n`)
    // The body of a refused request is not awaited.
    response.once('finish', () => socket.destroySoon())
  }

  /** The next request has the timeout of the first. */
  #answered(socket: Socket): void {
    const left = (this.#inFlight.get(socket) ?? 1) - 1
    this.#inFlight.set(socket, left)
    if (left === 0) this.#await(socket)
  }

  #upgrading(request: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#host.pending.remove(socket)
    socket.on('error', () => {})
    const refusal = this.#refusalOf(socket)
    if (refusal !== undefined) answerOn(socket, refusal)
    else if (!this.#isLinkRequest(request)) {
      if (this.#fallback === undefined) answerOn(socket, notFound)
      else this.#fallback.upgrade(request, socket, head, this.#forwarded(request))
    } else if (request.headers.upgrade?.toLowerCase() !== 'websocket') answerOn(socket, upgradeRequired)
    else if (!offered(request).includes(SUBPROTOCOL)) {
      this.#logRefusal(
        socket,
        new RystraError('protocol.not-rystra', { side: 'client', detail: 'WebSocket of another sub-protocol' })
      )
      answerOn(socket, wrongProtocol)
    } else
      this.#webSockets.handleUpgrade(request, socket, head, ({ done: [, rest] }) => this.#opened(request, socket, rest))
  }

  #opened(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { duplex } = new WsStream(socket, head, 'none', this.#host.pingInterval)
    const tls = this.#factsOf(socket)
    const { remoteAddress = 'unknown', remotePort = 0 } = socket
    const host = this.#proxies.clientOf(remoteAddress, header(request, 'x-forwarded-for'))
    const port = host === remoteAddress ? remotePort : 0
    const link: ByteLink = {
      kind: 'bytes',
      duplex,
      peer: { address: host, port, ...(tls === undefined ? {} : { tls }) }
    }
    this.#host.onLink(link)
  }

  #factsOf(socket: Duplex): ByteLink['peer']['tls'] {
    if (!(socket instanceof TLSSocket)) return undefined
    const facts = tlsFacts(socket)
    return this.#options.tlsTerminated === true ? hopByHopFacts(facts) : facts
  }
}

const header = ({ headers }: IncomingMessage, name: string): string | undefined => {
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

const offered = (request: IncomingMessage): string[] =>
  (header(request, 'sec-websocket-protocol') ?? '').split(',').map((protocol) => protocol.trim())

/** For connections without `ServerResponse`. */
const answerOn = (socket: Socket, { status, text, headers = {} }: FinalResponse): void => {
  socket.on('error', () => {})
  const lines = Object.entries({
    'Content-Type': 'text/plain',
    'Content-Length': Buffer.byteLength(text) + 1,
    ...headers,
    Connection: 'close'
  }).map(([name, value]) => `${name}: ${value}`)
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${text}\n`)
  socket.destroySoon()
}
