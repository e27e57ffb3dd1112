import type { CloseRequestContext, HeaderField, PublishHost } from '@rystra/plugin'
import { H2Service } from './ask-h2.js'
import { Credentials } from './credentials.js'
import { changesOf } from './fields.js'
import { Pages } from './pages.js'
import { Pool } from './pool.js'
import type { HttpSpec } from './spec.js'

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
  readonly #maxHeadSize: number
  #pool: Pool | undefined
  #service: H2Service | undefined

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
    this.#maxHeadSize = maxHeadSize
  }

  /** Connections by HTTP/1.1. */
  get pool(): Pool {
    this.#pool ??= new Pool(this.host, this.spec.reuse ?? 'all')
    return this.#pool
  }

  /** The connection by HTTP/2. */
  get service(): H2Service {
    if (this.#service !== undefined) return this.#service
    const { signal } = this.host
    const service = new H2Service(async (visitor, patience) => {
      const { stream, bound } = await this.host.openStream(visitor, patience === undefined ? {} : { timeout: patience })
      return { stream, bound: bound === true }
    }, this.#maxHeadSize)
    signal.addEventListener('abort', () => service.close(), { once: true })
    this.#service = service
    return service
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
