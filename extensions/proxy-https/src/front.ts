import type { ClientHello } from '@rystra/net'
import {
  type Claim,
  type Clock,
  type ErrorCode,
  type Logger,
  type Metrics,
  RystraError,
  type VisitorInfo
} from '@rystra/plugin'
import { plainHttpAnswer, type TlsAcceptor } from '@rystra/tls'
import type { Socket } from 'node:net'
import type { Certificates } from './certificates.js'
import { type FirstWords, readFirstWords, understand } from './first-words.js'
import { wildcardsOver } from './names.js'
import { Newcomers } from './newcomers.js'
import type { Routes } from './routes.js'

/** Milliseconds somebody who is turned away has to take our last words. */
const FAREWELL = 1000

/** What a proxy that passes through takes visitors with. See `PublishHost.relay`. */
export type PassOn = (visitor: Socket, info: VisitorInfo, elsewhere?: () => boolean) => void

/** A fatal alert in the clear, RFC 8446 §6. */
const alert = (description: number): Buffer => Buffer.from([0x15, 3, 3, 0, 2, 2, description])
const UNEXPECTED_MESSAGE = 10
const INTERNAL_ERROR = 80
const MISSING_EXTENSION = 109
const UNRECOGNIZED_NAME = 112

/** Which tunnels ask for by ALPN, where they share the port. */
const TUNNEL = /^rystra\//

/** What {@link Front} works with. */
export interface FrontHost {
  readonly routes: Routes<PassOn>
  readonly defaultHost: string | undefined
  readonly handshakeTimeout: number
  readonly handshakes: number
  readonly log: Logger
  readonly clock: Clock
  readonly metrics: Metrics
}

type Route = Claim<PassOn> | TlsAcceptor

/** Why somebody is turned away, and what they are told. */
interface Refusal {
  readonly answer: string | Buffer
  readonly code: ErrorCode
  readonly detail: string
}

/** What those get who do not begin with a ClientHello. */
const unfit: Readonly<Record<'http' | 'garbage', Refusal>> = {
  http: { answer: plainHttpAnswer, code: 'tls.not-tls', detail: 'what came is plain HTTP' },
  garbage: { answer: alert(UNEXPECTED_MESSAGE), code: 'tls.not-tls', detail: 'what came is no ClientHello' }
}

/** Who a visitor is. */
export const visitorOf = (socket: Socket): VisitorInfo => ({
  host: socket.remoteAddress ?? 'unknown',
  port: socket.remotePort ?? 0,
  to: { host: socket.localAddress ?? 'unknown', port: socket.localPort ?? 0 }
})

/** Gives a visitor to another member of a group that has not been tried; says whether there was one. */
const elsewhere = (visitor: Socket, info: VisitorInfo, claim: Claim<PassOn>, first: PassOn): (() => boolean) => {
  const tried = new Set([first])
  const next = (): boolean => {
    const passOn = visitor.destroyed ? undefined : claim.pick(info, tried)
    if (passOn === undefined) return false
    tried.add(passOn)
    passOn(visitor, info, next)
    return true
  }
  return next
}

/** Takes visitors of the TLS port, reads whom they want, and passes them on. */
export class Front {
  readonly #host: FrontHost
  readonly #newcomers: Newcomers
  readonly #turnedAway: ReturnType<Metrics['counter']>
  #certificates: Certificates | undefined

  constructor(host: FrontHost) {
    this.#host = host
    this.#turnedAway = host.metrics.counter(
      'rystra_https_turned_away_total',
      'Visitors of the TLS port that could not be passed on, by code.'
    )
    this.#newcomers = new Newcomers(host.clock, host.handshakeTimeout, host.handshakes, (socket, why) =>
      this.#tell(socket, new RystraError('tls.handshake', { side: 'client', detail: why }))
    )
  }

  /** Connections of which it is not known yet what to do with them, or whose handshake is not done. */
  get newcomers(): number {
    return this.#newcomers.size
  }

  set certificates(certificates: Certificates) {
    this.#certificates = certificates
  }

  /** Whether visitors who ask for this host get to somebody. */
  serves(host: string): boolean {
    return this.#route(host) !== undefined
  }

  /** Where others share the port: whether a connection that begins so is for us. */
  recognises(head: Buffer): boolean | undefined {
    const words = understand(head)
    if (words === undefined || typeof words === 'string') return words === undefined ? undefined : false
    if (words.alpn.some((name) => TUNNEL.test(name))) return false
    const name = this.#nameIn(words)
    return name !== undefined && this.serves(name)
  }

  take(socket: Socket): void {
    socket.on('error', () => {})
    this.#newcomers.add(socket)
    readFirstWords(socket, (words) => this.#pass(socket, words))
  }

  /** The handshake of this connection is done. `false` when it was given up before. */
  admit(tcp: Socket): boolean {
    return this.#newcomers.admit(tcp)
  }

  /** Closes those of whom nothing is known yet. */
  close(): void {
    this.#newcomers.close()
  }

  #nameIn(words: ClientHello): string | undefined {
    const { serverName = this.#host.defaultHost } = words
    return serverName?.toLowerCase().replace(/\.$/, '')
  }

  /** Exact names before wildcards, near wildcards before far ones; at the same distance whom TLS passes through. */
  #route(name: string): Route | undefined {
    const { routes } = this.#host
    const certificates = this.#certificates
    const exact = routes.exact(name) ?? certificates?.exact(name)
    if (exact !== undefined) return exact
    const [nearest] = wildcardsOver(name)
    const near = nearest === undefined ? undefined : routes.exact(nearest)
    return near ?? certificates?.covering(name) ?? routes.covering(name)
  }

  #pass(socket: Socket, words: FirstWords): void {
    const route = typeof words === 'string' ? unfit[words] : this.#routeOf(words)
    if ('answer' in route) {
      this.#turnAway(socket, route)
      return
    }
    if ('take' in route) {
      route.take(socket)
      return
    }
    const info = visitorOf(socket)
    const passOn = route.pick(info)
    if (passOn === undefined) {
      this.#turnAway(socket, { answer: alert(INTERNAL_ERROR), code: 'stream.no-member', detail: route.key })
      return
    }
    this.#newcomers.admit(socket)
    if (route.size > 1) passOn(socket, info, elsewhere(socket, info, route, passOn))
    else passOn(socket, info)
  }

  #routeOf(words: ClientHello): Route | Refusal {
    const name = this.#nameIn(words)
    if (name === undefined) {
      return { answer: alert(MISSING_EXTENSION), code: 'tls.unknown-name', detail: 'no name was asked for (SNI)' }
    }
    return this.#route(name) ?? { answer: alert(UNRECOGNIZED_NAME), code: 'tls.unknown-name', detail: name }
  }

  /** Reads on until the deadline: to close over unread bytes would be a reset, which takes the answer with it. */
  #turnAway(socket: Socket, { answer, code, detail }: Refusal): void {
    this.#tell(socket, new RystraError(code, { side: 'client', detail }))
    const cancel = this.#host.clock.after(FAREWELL, () => socket.destroy())
    socket.once('close', cancel)
    socket.end(answer)
    socket.resume()
  }

  #tell(socket: Socket, error: RystraError): void {
    const { host, port } = visitorOf(socket)
    this.#turnedAway.add(1, { code: error.code })
    this.#host.log.debug({ err: error, visitor: `${host}:${port}` }, 'a visitor was turned away')
  }
}
