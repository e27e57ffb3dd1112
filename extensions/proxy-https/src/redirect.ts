import type {
  HeaderField,
  Lifecycle,
  ListenHost,
  Listener,
  RequestContext,
  Respond,
  ResponseContext
} from '@rystra/plugin'
import { acceptHttp } from '@rystra/net'
import { firstBytes } from '@rystra/tls'
import http from 'node:http'
import type { Duplex } from 'node:stream'
import { asciiHostPattern } from '@rystra/address'
import type { HttpsOptions, Hsts } from './options.js'

/** Milliseconds a request without TLS has to come. */
const HEAD_TIMEOUT_MS = 10_000

/** Connections without TLS at one time; each is closed after its answer. */
const CONNECTIONS = 1024

/** What {@link Redirect} asks. */
export interface RedirectHost {
  /** Whether https gets somewhere with this host. */
  serves(host: string): boolean
  /** The body that answers a request for a challenge of HTTP-01. */
  challenge(host: string, path: string): string | undefined
  /** What stands behind the host in addresses: nothing, or `:8443`. */
  port(): string
}

/** 308 keeps the method and the body, RFC 9110 §15.4.9. */
const STATUS = 308

/** Sends requests that came without TLS to https. */
export class Redirect {
  readonly #host: RedirectHost

  constructor(host: RedirectHost) {
    this.#host = host
  }

  /** For `onRequest`: the answer to what came without TLS and need not. */
  readonly answer = ({ secure, host, target }: RequestContext): Respond | undefined => {
    if (secure || !this.#host.serves(host)) return undefined
    return { respond: { status: STATUS, headers: [['Location', this.#to(host, target)]] } }
  }

  #to(host: string, target: string): string {
    return `https://${host}${this.#host.port()}${target === '*' ? '/' : target}`
  }

  /** Ports on which nothing else is served. */
  listen(
    ports: readonly HttpsOptions['redirectFrom'][number][],
    through: ListenHost
  ): Required<Pick<Lifecycle, 'start' | 'stop'>> {
    const connections = new Set<Duplex>()
    const listeners: Listener[] = []
    const closing = new AbortController()
    const server = http.createServer(
      {
        maxHeaderSize: 16_384,
        headersTimeout: HEAD_TIMEOUT_MS,
        requestTimeout: HEAD_TIMEOUT_MS,
        connectionsCheckingInterval: 1000
      },
      (request, response) => this.#respond(request, response)
    )
    // Node looks after the time of heads on servers that listen; this one is given its connections.
    server.emit('listening')
    const onSocket = (socket: Duplex): void => {
      // Evict the oldest: an honest client is answered within one round trip.
      const [oldest] = connections
      if (connections.size >= CONNECTIONS) oldest?.destroy()
      connections.add(socket)
      socket.once('close', () => connections.delete(socket))
      acceptHttp(server, socket)
    }
    return {
      start: async () => {
        for (const address of ports) {
          const recognises = (head: Buffer): boolean | undefined => {
            const kind = firstBytes(head)
            return kind === undefined ? undefined : kind === 'http'
          }
          listeners.push(await through.listenTcp({ ...address, recognises, onSocket }, closing.signal))
        }
      },
      stop: async () => {
        closing.abort()
        await Promise.all(listeners.splice(0).map((listener) => listener.close()))
        server.close()
        for (const connection of connections) connection.destroy()
      }
    }
  }

  #respond({ headers, url = '' }: http.IncomingMessage, response: http.ServerResponse): void {
    const host = asciiHostPattern((headers.host ?? '').replace(/:\d*$/, ''))
    const answer = host === undefined ? undefined : this.#host.challenge(host, url)
    if (answer !== undefined) {
      response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': answer.length, Connection: 'close' })
      response.end(answer)
      return
    }
    const known = host !== undefined && !host.startsWith('*') && this.#host.serves(host)
    const status = !known ? 404 : /^\/[\x21-\x7e]*$/.test(url) ? STATUS : 400
    const body = `${http.STATUS_CODES[status]}\n`
    response.writeHead(status, {
      ...(status === STATUS ? { Location: this.#to(host as string, url) } : {}),
      'Content-Type': 'text/plain; charset=utf-8',
      ...(status === STATUS ? {} : { 'X-Rystra-Error': `http.${status}` }),
      'Content-Length': body.length,
      Connection: 'close'
    })
    response.end(body)
  }
}

/** The value of Strict-Transport-Security, RFC 6797 §6.1. */
const hstsValue = ({ maxAge, includeSubDomains, preload }: Hsts): string =>
  [`max-age=${maxAge}`, ...(includeSubDomains ? ['includeSubDomains'] : []), ...(preload ? ['preload'] : [])].join('; ')

/** For `onResponse`: says that the host is to be reached by https alone, unless the service has said something else. Never without TLS, RFC 6797 §7.2. */
export const strictTransport = (
  hsts: Hsts,
  serves: (host: string) => boolean
): ((context: ResponseContext) => void) => {
  const field: HeaderField = ['Strict-Transport-Security', hstsValue(hsts)]
  return ({ request, headers }) => {
    if (!request.secure || !serves(request.host)) return
    if (!headers.some(([name]) => name.toLowerCase() === 'strict-transport-security')) headers.push([...field])
  }
}
