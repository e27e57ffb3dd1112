import type { Address, Listener, ListenHost, Logger } from '@rystra/plugin'
import { createHash, timingSafeEqual } from 'node:crypto'
import http from 'node:http'
import net from 'node:net'
import { contentType } from './exposition.js'
import type { MetricsRegistry } from './registry.js'

/** Where scrapers connect. */
export interface ListenSettings {
  readonly host: string
  readonly port: number
  readonly path: string
  readonly token?: string
  readonly hosts: readonly string[]
}

/** Enough for a few scrapers, each with a connection or two. */
const MAX_CONNECTIONS = 64
const REQUEST_TIMEOUT_MS = 10_000
/** A scraper that does not read its response is disconnected. Prometheus gives up after 10 s by default. */
const IDLE_TIMEOUT_MS = 30_000

/** The host of a Host header, without its port and brackets. */
const hostOf = (header: string): string =>
  header
    .replace(/:\d*$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase()

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** An HTTP listener that answers one path with the metrics. */
export class MetricsListener {
  readonly #settings: ListenSettings
  readonly #registry: MetricsRegistry
  readonly #log: Logger
  readonly #ports: ListenHost
  readonly #server: http.Server
  readonly #sockets = new Set<net.Socket>()
  readonly #proof: Buffer | undefined
  #listener: Listener | undefined
  #stopped = false

  /** @param ports of the end, so that the successor of a reload can listen on the same port */
  constructor(settings: ListenSettings, registry: MetricsRegistry, log: Logger, ports: ListenHost) {
    this.#settings = settings
    this.#registry = registry
    this.#log = log
    this.#ports = ports
    this.#proof = settings.token === undefined ? undefined : digest(`Bearer ${settings.token}`)
    this.#server = http.createServer(
      {
        headersTimeout: REQUEST_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        maxHeaderSize: 8192,
        connectionsCheckingInterval: 5000
      },
      (request, response) => {
        this.#answer(request, response).catch((error: unknown) => {
          this.#log.error({ error }, 'metrics could not be rendered')
          if (response.headersSent) response.destroy()
          else response.writeHead(500).end()
        })
      }
    )
    this.#server.timeout = IDLE_TIMEOUT_MS
    // Malformed requests hurt their sender alone; Node closes the connection.
    this.#server.on('clientError', (_, socket) => socket.destroy())
    // Node checks timeouts on servers that listen; this one is given its connections.
    this.#server.emit('listening')
  }

  /** Where it listens, while it does. */
  get address(): Address | undefined {
    return this.#listener?.address
  }

  /** Rejects with `listen.*`. */
  async start(): Promise<void> {
    const { host, port } = this.#settings
    this.#listener = await this.#ports.listenTcp(
      {
        host,
        port,
        owner: 'observe-prometheus',
        exclusive: true,
        recognises: () => true,
        onSocket: (socket) => this.#accept(socket)
      },
      new AbortController().signal
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const listener = this.#listener
    this.#listener = undefined
    await listener?.close()
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #accept(socket: net.Socket): void {
    if (this.#stopped || this.#sockets.size >= MAX_CONNECTIONS) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => this.#sockets.delete(socket))
    this.#server.emit('connection', socket)
  }

  /** A name that points at this address could be of any web page (DNS rebinding): only configured names are accepted. */
  #isKnownHost(header: string | undefined): boolean {
    const host = hostOf(header ?? '')
    if (net.isIP(host) !== 0 || host === 'localhost') return true
    const known = [this.#settings.host, ...this.#settings.hosts].map((name) => name.toLowerCase())
    return known.includes(host)
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    request.resume()
    const refuse = (status: number, text: string, headers: http.OutgoingHttpHeaders = {}): void => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }).end(`${text}\n`)
    }
    if (!this.#isKnownHost(request.headers.host))
      return refuse(421, 'unknown Host: add it to listen.hosts of observe-prometheus')
    if (request.url?.split('?')[0] !== this.#settings.path)
      return refuse(404, `not found: metrics are at ${this.#settings.path}`)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refuse(405, 'only GET and HEAD', { allow: 'GET, HEAD' })
    if (this.#proof !== undefined && !timingSafeEqual(this.#proof, digest(request.headers.authorization ?? '')))
      return refuse(401, 'a bearer token is needed: listen.token of observe-prometheus', {
        'www-authenticate': 'Bearer'
      })
    const pieces = request.method === 'HEAD' ? [] : await this.#registry.render()
    response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' })
    for (const piece of pieces) {
      if (response.destroyed) return
      if (!response.write(piece)) await drained(response)
    }
    response.end()
  }
}

/** Resolves when more can be written, or the peer is gone. */
const drained = (response: http.ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
