import { visitorOf } from '@rystra/address'
import { type ClientHello, type HostTable, returned, TLS_CHALLENGE_PROTOCOL, tlsChallenge } from '@rystra/net'
import {
  background,
  type CertificatePair,
  type Claim,
  type Clock,
  type ErrorCode,
  type ListenHost,
  type Logger,
  type Metrics,
  type Registries,
  RystraError,
  type VisitorInfo
} from '@rystra/plugin'
import { plainHttpAnswer, type TlsAcceptor } from '@rystra/tls'
import type { Socket } from 'node:net'
import { answerChallenge } from './challenge.js'
import type { Certificates } from './certificates.js'
import { HandshakeQueue } from './handshake-queue.js'
import { wildcardsOver } from './names.js'
import type { ProvidedCertificates } from './provided.js'
import { type FirstMessage, parseFirst, readFirst } from './protocol-reader.js'

/** Milliseconds for which a rejected connection may take the answer. */
const CLOSE_TIMEOUT_MS = 1000

/** Relays a visitor to a proxy that passes TLS through. See `PublishHost.relay`. */
export type PassOn = (visitor: Socket, info: VisitorInfo, failover?: () => boolean) => void

/** A fatal alert in the clear, RFC 8446 §6. */
const alert = (description: number): Buffer => Buffer.from([0x15, 3, 3, 0, 2, 2, description])
const UNEXPECTED_MESSAGE = 10
const INTERNAL_ERROR = 80
const MISSING_EXTENSION = 109
const UNRECOGNIZED_NAME = 112

/** Protocols of tunnels in ALPN, where they share the port. */
const TUNNEL = /^rystra\//

/** What {@link Front} works with. */
export interface FrontHost {
  readonly routes: HostTable<PassOn>
  readonly registries: Registries
  readonly defaultHost: string | undefined
  readonly handshakeTimeout: number
  readonly handshakes: number
  readonly log: Logger
  readonly clock: Clock
  readonly metrics: Metrics
  /** Whether clients of the process before are about to come back. */
  readonly ports: Pick<ListenHost, 'returning' | 'awaits' | 'otherProcess'>
}

type Route = Claim<PassOn> | TlsAcceptor

/** The answer to a connection that is rejected, and the reason for the log. */
interface Refusal {
  readonly answer: Buffer | (() => string)
  readonly code: ErrorCode
  readonly detail: string
}

/** Answers to connections that do not begin with a ClientHello. */
const notTls: Readonly<Record<'http' | 'garbage', Refusal>> = {
  http: { answer: plainHttpAnswer, code: 'tls.not-tls', detail: 'plain HTTP was received' },
  garbage: { answer: alert(UNEXPECTED_MESSAGE), code: 'tls.not-tls', detail: 'not a ClientHello' }
}

/** Passes a visitor to another member of a group that has not been tried. `false`: no other is left. */
const failoverOf = (visitor: Socket, info: VisitorInfo, claim: Claim<PassOn>, first: PassOn): (() => boolean) => {
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

/** Accepts visitors of the TLS port, reads the host of their ClientHello, and passes them on. */
export class Front {
  readonly #host: FrontHost
  readonly #handshakes: HandshakeQueue
  readonly #rejected: ReturnType<Metrics['counter']>
  #certificates: Certificates | undefined
  #provided: ProvidedCertificates | undefined

  constructor(host: FrontHost) {
    this.#host = host
    this.#rejected = host.metrics.counter(
      'rystra_https_turned_away_total',
      'Connections of visitors that were rejected, by error code.'
    )
    this.#handshakes = new HandshakeQueue(host.clock, host.handshakeTimeout, host.handshakes, (socket, detail) =>
      this.#report(socket, new RystraError('tls.handshake', { side: 'client', detail }))
    )
  }

  use(certificates: Certificates, provided: ProvidedCertificates): void {
    this.#certificates = certificates
    this.#provided = provided
  }

  /** Whether a proxy or a certificate serves this host. */
  serves(host: string): boolean {
    return this.#route(host) !== undefined
  }

  /** Whether TLS of this host ends here, with a certificate. */
  terminates(host: string): boolean {
    const route = this.#route(host)
    return route !== undefined && 'take' in route
  }

  /** Whether TLS of this host would end with the self-signed certificate, because there is no other one yet. */
  isProvisional(host: string): boolean {
    const route = this.#route(host)
    return route !== undefined && route === this.#provided?.provisional
  }

  /** Where other listeners share the port: whether a connection that begins with these bytes is for this one. */
  recognises(head: Buffer): boolean | undefined {
    const message = parseFirst(head)
    if (message === undefined || typeof message === 'string') return message === undefined ? undefined : false
    if (message.alpn.some((name) => TUNNEL.test(name))) return false
    const name = this.#nameIn(message)
    return name !== undefined && (this.serves(name) || this.#challengeOf(message) !== undefined)
  }

  take(socket: Socket): void {
    socket.on('error', () => {})
    this.#handshakes.add(socket)
    readFirst(socket, (message) => this.#pass(socket, message))
  }

  /** The handshake of this connection is complete. `false`: it was closed before. */
  admit(tcp: Socket): boolean {
    return this.#handshakes.remove(tcp)
  }

  /** Calls `then` when each handshake is complete, or its time is over. */
  whenIdle(then: () => void): void {
    this.#handshakes.whenEmpty(then)
  }

  /** Closes connections whose handshake is not complete. */
  close(): void {
    this.#handshakes.close()
  }

  #nameIn(hello: ClientHello): string | undefined {
    const { serverName = this.#host.defaultHost } = hello
    return serverName?.toLowerCase().replace(/\.$/, '')
  }

  /** The certificate that answers a TLS-ALPN-01 challenge. */
  #challengeOf({ alpn, serverName }: ClientHello): CertificatePair | undefined {
    return serverName !== undefined && alpn.includes(TLS_CHALLENGE_PROTOCOL)
      ? tlsChallenge(this.#host.registries, serverName.replace(/\.$/, ''))
      : undefined
  }

  /** Exact names before wildcards, near wildcards before far ones, and TLS that passes through before certificates. */
  #route(name: string): Route | undefined {
    const { routes } = this.#host
    const certificates = this.#certificates
    const exact = routes.exact(name) ?? certificates?.exact(name)
    if (exact !== undefined) return exact
    const covering = certificates?.covering(name)
    const provided = covering === undefined ? this.#provided?.acceptor(name) : undefined
    if (provided !== undefined) return provided
    const [nearest] = wildcardsOver(name)
    const near = nearest === undefined ? undefined : routes.exact(nearest)
    return near ?? covering ?? routes.covering(name)
  }

  #pass(socket: Socket, message: FirstMessage): void {
    // Before any route: a service that has the host must not see challenges of an order that was made here.
    const challenge = typeof message === 'string' ? undefined : this.#challengeOf(message)
    if (challenge !== undefined) {
      answerChallenge(socket, challenge)
      return
    }
    const route = typeof message === 'string' ? notTls[message] : this.#routeOf(message)
    if ('answer' in route) {
      if (!this.#waits(socket, message)) this.#reject(socket, route)
      return
    }
    // A wildcard may be back before a host below it.
    if (this.#isAtOtherProcess(message) && this.#waits(socket, message)) return
    if ('take' in route) {
      route.take(socket)
      return
    }
    const info = visitorOf(socket)
    const passOn = route.pick(info)
    if (passOn === undefined) {
      this.#reject(socket, { answer: alert(INTERNAL_ERROR), code: 'stream.no-member', detail: route.key })
      return
    }
    this.#handshakes.remove(socket)
    if (route.size > 1) passOn(socket, info, failoverOf(socket, info, route, passOn))
    else passOn(socket, info)
  }

  /** A host whose proxy may be about to come back is waited for. */
  #waits(socket: Socket, message: FirstMessage): boolean {
    const { ports } = this.#host
    const { returning } = ports
    const name = typeof message === 'string' ? undefined : this.#nameIn(message)
    if (returning === undefined || name === undefined || ports.awaits?.(name) === false) return false
    const isBack = (): boolean => socket.destroyed || (this.serves(name) && !this.#isAtOtherProcess(message))
    const back = returned(isBack, returning).then(() => {
      if (!socket.destroyed) this.#pass(socket, message)
    })
    background(back, this.#host.log, 'a visitor that waited for its proxy failed')
    return true
  }

  /** Whether another process has a nearer host for it than this one. */
  #isAtOtherProcess(message: FirstMessage): boolean {
    const { ports, routes } = this.#host
    const name = typeof message === 'string' ? undefined : this.#nameIn(message)
    if (ports.otherProcess === undefined || name === undefined) return false
    return ports.otherProcess.has('https', { host: name, path: '/' }, routes.locate(name, '/'))
  }

  #routeOf(hello: ClientHello): Route | Refusal {
    const name = this.#nameIn(hello)
    if (name === undefined) {
      return { answer: alert(MISSING_EXTENSION), code: 'tls.unknown-name', detail: 'no server name (SNI)' }
    }
    return this.#route(name) ?? { answer: alert(UNRECOGNIZED_NAME), code: 'tls.unknown-name', detail: name }
  }

  /** Reads on for a moment: a reset over unread bytes would take the answer with it. */
  #reject(socket: Socket, { answer, code, detail }: Refusal): void {
    this.#report(socket, new RystraError(code, { side: 'client', detail }))
    const cancel = this.#host.clock.after(CLOSE_TIMEOUT_MS, () => socket.destroy())
    socket.once('close', cancel)
    socket.end(typeof answer === 'function' ? answer() : answer)
    socket.resume()
  }

  #report(socket: Socket, error: RystraError): void {
    const { host, port } = visitorOf(socket)
    this.#rejected.add(1, { code: error.code })
    this.#host.log.debug({ err: error, visitor: `${host}:${port}` }, 'a visitor was rejected')
  }
}
