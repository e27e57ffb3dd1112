import { TrustedProxies } from '@rystra/address'
import { type ByteLink, type Link, type Logger, RystraError } from '@rystra/plugin'
import { tlsFacts } from '@rystra/tls'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'
import { BOUND_HEADER, boundTo, withoutEnds } from './bound.js'
import { Fallback, type Forwarded } from './fallback.js'
import { Handshake } from './handshake.js'
import { DEFAULT_PATH, MAX_HEAD, SUBPROTOCOL } from './limits.js'
import type { ListenWs } from './options.js'
import { ERROR_HEADER } from './refusal.js'
import { WsStream } from './stream.js'
import type { WaitingRoom } from './waiting-room.js'

/** What a front needs besides its options. */
export interface FrontHost {
  readonly room: WaitingRoom
  readonly log: Logger
  /** Says the transport in the log. */
  readonly transport: string
  readonly onLink: (link: Link) => void
}

/** An answer that ends the connection. */
interface Answer {
  readonly status: 400 | 403 | 404 | 408 | 426
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

const notFound: Answer = { status: 404, text: 'Nothing here.' }
const upgradeRequired: Answer = {
  status: 426,
  text: 'A WebSocket is expected here.',
  headers: { Upgrade: 'websocket' }
}
const wrongProtocol: Answer = { status: 400, text: `The WebSocket sub-protocol ${SUBPROTOCOL} is expected here.` }

/** HTTP on connections that are there: a WebSocket on the path becomes a link, all else is refused or handed on. */
export class Front {
  readonly #options: Partial<ListenWs> & { readonly tlsTerminated?: boolean }
  readonly #host: FrontHost
  readonly #path: string
  readonly #proxies: TrustedProxies
  readonly #fallback: Fallback | undefined
  /** It parses, and never listens. */
  readonly #http: http.Server
  readonly #webSockets = new WebSocketServer({
    WebSocket: Handshake,
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: () => SUBPROTOCOL
  })

  /** Requests of a connection that are being answered: with pipelining there may be several. */
  readonly #busy = new WeakMap<Socket, number>()
  readonly #refused = new WeakMap<Socket, RystraError>()

  constructor(options: Partial<ListenWs> & { readonly tlsTerminated?: boolean }, host: FrontHost) {
    this.#options = options
    this.#host = host
    this.#path = options.path ?? DEFAULT_PATH
    this.#proxies = new TrustedProxies(options.trustProxy ?? [], 'trustProxy')
    this.#fallback = options.fallback === undefined ? undefined : new Fallback(options.fallback)
    this.#http = http.createServer({ maxHeaderSize: MAX_HEAD })
    this.#http.on('request', (request, response) => this.#requested(request, response))
    this.#http.on('upgrade', (request, socket, head) => this.#upgrading(request, socket as Socket, head))
    this.#http.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
      this.#garbage(error, socket as Socket)
    )
    this.#webSockets.on('headers', (headers, { socket }) => {
      headers.push(`${BOUND_HEADER}: ${boundTo(this.#factsOf(socket))}`)
    })
  }

  /** Takes a connection over from its first byte on. With `refusal` whatever it asks for is refused so. */
  take(socket: Socket, refusal?: RystraError): void {
    if (refusal !== undefined) this.#refused.set(socket, refusal)
    this.#await(socket)
    this.#http.emit('connection', socket)
  }

  #await(socket: Socket): void {
    this.#host.room.enter(socket, () => {
      this.#tell(socket, new RystraError('protocol.timeout', { side: 'client', detail: 'no request' }))
      answerOn(socket, { status: 408, text: 'The request took too long.' })
    })
  }

  #tell(socket: Socket, error: RystraError): void {
    const { log, transport } = this.#host
    log.debug({ err: error, peer: `${socket.remoteAddress}:${socket.remotePort}`, transport }, 'a peer was not let in')
  }

  /** What came is not HTTP, or too much of it. The connection may have been used well before. */
  #garbage(error: NodeJS.ErrnoException, socket: Socket): void {
    this.#host.room.leave(socket)
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const large = error.code === 'HPE_HEADER_OVERFLOW'
    const code = large ? 'protocol.too-large' : 'protocol.not-rystra'
    const detail = large ? `the head of a request of more than ${MAX_HEAD} bytes` : 'not HTTP'
    this.#tell(socket, new RystraError(code, { side: 'client', detail, cause: error }))
    answerOn(socket, { status: 400, text: large ? 'Too many headers.' : 'Not HTTP.' })
  }

  #refusalOf(socket: Socket): Answer | undefined {
    const error = this.#refused.get(socket)
    return error && { status: 403, text: error.message, headers: { [ERROR_HEADER]: error.code } }
  }

  #isOurs({ url = '' }: IncomingMessage): boolean {
    return url === this.#path || url.startsWith(`${this.#path}?`)
  }

  #forwarded({ socket }: IncomingMessage): Forwarded {
    const { remoteAddress: from = 'unknown' } = socket
    return { from, trusted: this.#proxies.has(from), secure: socket instanceof TLSSocket }
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    this.#host.room.leave(socket)
    const refusal = this.#refusalOf(socket)
    const ours = this.#isOurs(request)
    if (refusal === undefined && !ours && this.#fallback !== undefined) {
      this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1)
      response.once('close', () => this.#answered(socket))
      this.#fallback.request(request, response, this.#forwarded(request))
      return
    }
    const { status, text, headers } = refusal ?? (ours ? upgradeRequired : notFound)
    response.writeHead(status, { 'Content-Type': 'text/plain', ...headers, Connection: 'close' }).end(`${text}\n`)
    // Whatever body comes is nobody's, and not waited for.
    response.once('finish', () => socket.destroySoon())
  }

  /** The next request has as long as the first had. */
  #answered(socket: Socket): void {
    const left = (this.#busy.get(socket) ?? 1) - 1
    this.#busy.set(socket, left)
    if (left === 0) this.#await(socket)
  }

  #upgrading(request: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#host.room.leave(socket)
    socket.on('error', () => {})
    const refusal = this.#refusalOf(socket)
    if (refusal !== undefined) answerOn(socket, refusal)
    else if (!this.#isOurs(request)) {
      if (this.#fallback === undefined) answerOn(socket, notFound)
      else this.#fallback.upgrade(request, socket, head, this.#forwarded(request))
    } else if (request.headers.upgrade?.toLowerCase() !== 'websocket') answerOn(socket, upgradeRequired)
    else if (!offered(request).includes(SUBPROTOCOL)) {
      this.#tell(socket, new RystraError('protocol.not-rystra', { side: 'client', detail: 'another WebSocket' }))
      answerOn(socket, wrongProtocol)
    } else
      this.#webSockets.handleUpgrade(request, socket, head, ({ done: [, rest] }) => this.#opened(request, socket, rest))
  }

  #opened(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { duplex } = new WsStream(socket, head, 'none')
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
    return this.#options.tlsTerminated === true ? withoutEnds(facts) : facts
  }
}

const header = ({ headers }: IncomingMessage, name: string): string | undefined => {
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

const offered = (request: IncomingMessage): string[] =>
  (header(request, 'sec-websocket-protocol') ?? '').split(',').map((protocol) => protocol.trim())

/** For connections that have no `ServerResponse`. */
const answerOn = (socket: Socket, { status, text, headers = {} }: Answer): void => {
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
