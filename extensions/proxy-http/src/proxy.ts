import type { CloseRequestContext, HeaderField, PublishHost } from '@rystra/plugin'
import { Credentials } from './credentials.js'
import { changesOf } from './fields.js'
import { H1Upstream } from './h1-upstream.js'
import { H2Upstream } from './h2-upstream.js'
import type { HttpOptions } from './options.js'
import { Pages } from './pages.js'
import type { HttpSpec } from './spec.js'
import type { ConnectOptions, UpstreamConnection } from './upstream.js'

type Change = (fields: HeaderField[]) => HeaderField[]

/** A published proxy: its ways to the service, and what it does to requests, made ready once. */
export class HttpProxy {
  readonly spec: HttpSpec
  readonly host: PublishHost
  readonly changeRequest: Change
  readonly changeResponse: Change
  readonly credentials: Credentials | undefined
  readonly pages: Pages | undefined
  /** What becomes of a request before it goes to the service: the same of two proxies if this is. */
  readonly form: string
  /** Requests in flight. */
  inFlight = 0
  readonly #h1: H1Upstream
  readonly #h2: H2Upstream | undefined

  constructor(spec: HttpSpec, host: PublishHost, maxHeadSize: number) {
    const { basicAuth, errorPages, forwarded, hostHeader, requestHeaders, stripPrefix } = spec
    this.spec = spec
    this.host = host
    this.changeRequest = changesOf(spec.requestHeaders)
    this.changeResponse = changesOf(spec.responseHeaders)
    this.credentials =
      basicAuth === undefined ? undefined : new Credentials(Array.isArray(basicAuth) ? basicAuth : [basicAuth])
    this.pages = errorPages === undefined ? undefined : new Pages(errorPages)
    this.form = JSON.stringify([basicAuth, forwarded, hostHeader, requestHeaders, stripPrefix])
    this.#h1 = new H1Upstream(host, spec.reuse ?? 'all', maxHeadSize)
    this.#h2 = spec.h2 === true ? new H2Upstream(host, maxHeadSize) : undefined
  }

  /** A connection to the service for one request. `upgrade`: the protocol to change to. Rejects with `stream.*`. */
  connect(options: ConnectOptions, upgrade: string | undefined): UpstreamConnection | Promise<UpstreamConnection> {
    const h2 = this.#h2
    if (h2 === undefined) return this.#h1.connect(options)
    if (upgrade === undefined) return h2.connect(options)
    // A service without RFC 8441 may still change the protocol by HTTP/1.1.
    return upgrade.toLowerCase() === 'websocket'
      ? h2.connectExtended(options).then((connection) => connection ?? this.#h1.connect(options))
      : this.#h1.connect(options)
  }

  /** A time limit of this proxy, in milliseconds. */
  timeout(limit: 'answerTimeout' | 'bodyTimeout', options: HttpOptions): number {
    return this.spec[limit] ?? options[limit]
  }

  /** Tells the client of a request that is over. */
  tell(
    { request, status, bytesToService, bytesToVisitor, duration, error }: CloseRequestContext,
    target: string
  ): void {
    this.host.tell({
      method: request.method.slice(0, 32),
      host: request.host,
      path: target.slice(0, 512),
      visitor: request.visitor.host,
      status,
      duration,
      bytesToService,
      bytesToVisitor,
      ...(error === undefined ? {} : { error: error.code })
    })
  }

  /** The target as the service knows it. */
  targetOf(target: string): string {
    const { path, stripPrefix } = this.spec
    if (stripPrefix !== true || path === undefined || !target.startsWith(path)) return target
    const rest = target.slice(path.length)
    return rest.startsWith('/') ? rest : `/${rest}`
  }
}
