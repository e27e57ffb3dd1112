import type { ProxySpec, RystraError, SessionInfo, Side, VisitorInfo } from '@rystra/model'
import type { HeaderField } from './hooks.js'

/** A request to a service that an observer wants to have sent again. */
export interface ReplayRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Fields about the connection and the framing are left out; Host as it was, or as it is given. */
  readonly headers: readonly HeaderField[]
  readonly body: Uint8Array
  /** What is in the field `X-Rystra-Replay`. */
  readonly mark: string
}

/** The head of a request, as it goes to the service. */
export interface ObservedRequest {
  /** Which end sees it. */
  readonly side: Side
  readonly proxy: ProxySpec
  readonly session: SessionInfo
  readonly visitor: VisitorInfo
  readonly method: string
  /** Host without port, in lower case. */
  readonly host: string
  /** Whether the visitor came by TLS, as far as this end knows. */
  readonly secure: boolean
  readonly target: string
  readonly headers: readonly HeaderField[]
  /** Milliseconds since the epoch at which the head was read. */
  readonly begun: number
  /**
   * Sends a request to the service of this proxy on a connection of its own, on the way that requests take. Reports to
   * `observer`, `sent` first. Resolves when the response is over, whatever came of it; rejects with `usage.invalid` for a
   * request that cannot be one.
   */
  replay(request: ReplayRequest, observer: ExchangeObserver): Promise<void>
}

/**
 * Is told of one request and its response. Called in the turn in which something happens, by what is on the byte path: must
 * not block, must not throw, and has chunks until it returns.
 */
export interface ExchangeObserver {
  requestData(chunk: Uint8Array): void
  /** The service was reached and the head was sent. Again when another service gets the request. */
  sent(): void
  /** The head of the response. Not for 1xx. */
  response(status: number, headers: readonly HeaderField[]): void
  responseData(chunk: Uint8Array): void
  /** The service changed the protocol: bytes that follow are not of HTTP, and are not reported. */
  upgraded(protocol: string): void
  /** The last call. `error`: it was refused, or broken off. */
  end(error?: RystraError): void
}

/** Watches requests to services, at the end where kinds of proxies know them. `registries.httpObservers` */
export interface HttpObserver {
  readonly name: string
  /** `undefined`: this request is not watched. Must not throw. */
  begin(request: ObservedRequest): ExchangeObserver | undefined
}
