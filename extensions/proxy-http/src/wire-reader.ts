import { SocketFace } from '@rystra/bytes'
import {
  type ExchangeObserver,
  type HttpObserver,
  type ObservedRequest,
  RystraError,
  type VisitorInfo
} from '@rystra/plugin'
import http, { ClientRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { paired } from './fields.js'
import { beginAll } from './observe.js'
import { replayThrough } from './replay.js'
import { StreamAgent } from './stream-agent.js'

const agent = new StreamAgent()

/** Bytes of a head that is read; of a longer one nothing is shown. */
const MAX_HEAD_BYTES = 64 * 1024

/** What is known of all requests of a connection. */
export interface Wire extends Pick<ObservedRequest, 'side' | 'proxy' | 'session' | 'visitor'> {
  readonly connector: () => Promise<Duplex>
  hostOf(field: string): string
}

/** A connection that gives Node's parser what is pushed, and drops what is written. */
class Copy extends SocketFace {
  constructor() {
    super({ allowHalfOpen: true })
    this.on('error', () => {})
  }

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done()
  }
}

const broken = (detail: string): RystraError => new RystraError('stream.reset', { side: 'client', detail })

/**
 * Reads a copy of what passes on a connection of HTTP/1.1 with Node's parser. Server halves send one request at a time on
 * it: what the service sends belongs to the request before. Never throws; after bytes that are not HTTP it reads nothing more.
 */
export class WireReader {
  readonly #observers: readonly HttpObserver[]
  readonly #wire: Wire
  readonly #requests = new Copy()
  readonly #server: http.Server
  #responses: Copy | undefined
  #observed: ExchangeObserver | undefined
  #over = false

  constructor(observers: readonly HttpObserver[], wire: Wire) {
    this.#observers = observers
    this.#wire = wire
    this.#server = http.createServer({
      maxHeaderSize: MAX_HEAD_BYTES,
      requireHostHeader: false,
      keepAliveTimeout: 0,
      requestTimeout: 0,
      headersTimeout: 0
    })
    this.#server.maxHeadersCount = 0
    this.#server.on('request', (request, response) => this.#onRequest(request, () => response.end()))
    this.#server.on('checkContinue', (request, response) => this.#onRequest(request, () => response.end()))
    this.#server.on('upgrade', (request) => this.#onRequest(request, () => {}))
    this.#server.on('clientError', () => this.#stop('the request cannot be read as HTTP'))
    this.#server.emit('connection', this.#requests)
  }

  toService(chunk: Buffer): void {
    // A reader that is slower than the writer may reuse its memory.
    if (!this.#over) this.#requests.push(Buffer.from(chunk))
  }

  fromService(chunk: Buffer): void {
    if (!this.#over) this.#responses?.push(Buffer.from(chunk))
  }

  serviceEnded(): void {
    if (!this.#over) this.#responses?.push(null)
  }

  /** The connection is over. */
  close(): void {
    this.#stop('the connection was closed')
  }

  /** @param problem why it is not read any more, unless that is as it should be */
  #stop(problem?: string): void {
    if (this.#over) return
    this.#over = true
    this.#finish(problem)
    this.#requests.destroy()
    this.#responses?.destroy()
  }

  #finish(problem?: string): void {
    const observed = this.#observed
    this.#observed = undefined
    // Made only where it is reported: most requests are over by then.
    observed?.end(problem === undefined ? undefined : broken(problem))
  }

  #onRequest(request: IncomingMessage, answer: () => void): void {
    this.#finish('the next request came before the response')
    const { side, proxy, session, visitor, connector } = this.#wire
    const { method = '', url: target = '/', rawHeaders, headers } = request
    const observed = beginAll(this.#observers, {
      side,
      proxy,
      session,
      visitor: visitorIn(headers['x-forwarded-for'], visitor),
      method,
      host: this.#wire.hostOf(headers.host ?? ''),
      secure: headers['x-forwarded-proto'] === 'https',
      target,
      headers: paired(rawHeaders),
      begun: Date.now(),
      replay: (again, observer) => replayThrough(connector, again, observer)
    })
    this.#observed = observed
    observed?.sent()
    request.on('data', (chunk: Buffer) => observed?.requestData(chunk))
    request.on('error', () => {})
    request.on('end', answer)
    this.#expect(method, headers.upgrade, observed)
  }

  /** Reads the response to a request of this method. */
  #expect(method: string, upgrade: string | undefined, observed: ExchangeObserver | undefined): void {
    this.#responses?.destroy()
    const copy = new Copy()
    this.#responses = copy
    const present = (): boolean => this.#responses === copy && !this.#over
    const request = new ClientRequest({
      method,
      path: '/',
      agent,
      stream: copy,
      setHost: false,
      maxHeaderSize: MAX_HEAD_BYTES,
      headers: upgrade === undefined ? {} : { connection: 'upgrade', upgrade }
    } as http.RequestOptions)
    request.on('error', () => {
      if (present()) this.#stop('the response cannot be read as HTTP')
    })
    request.on('upgrade', (response: IncomingMessage) => {
      observed?.response(101, paired(response.rawHeaders))
      observed?.upgraded(response.headers.upgrade ?? upgrade ?? '')
      if (present()) this.#stop()
    })
    request.on('response', (response: IncomingMessage) => {
      observed?.response(response.statusCode ?? 0, paired(response.rawHeaders))
      response.on('data', (chunk: Buffer) => observed?.responseData(chunk))
      response.on('error', () => {})
      response.on('end', () => {
        if (present() && this.#observed === observed) this.#finish()
      })
    })
    request.end()
  }
}

/** The visitor as the server half has written it: streams are shared by visitors. */
const visitorIn = (field: string | string[] | undefined, visitor: VisitorInfo): VisitorInfo => {
  const host = String(field ?? '')
    .split(',')
    .at(-1)
    ?.trim()
  return host === undefined || host === '' ? visitor : { ...visitor, host, port: 0 }
}
