import type { LazyAbort } from '@rystra/net'
import type { HeaderField, VisitorInfo } from '@rystra/plugin'
import type { Duplex, Readable, Writable } from 'node:stream'

/** A request as it goes to a service. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query, or `*`. */
  readonly target: string
  /** Without Host and the fields that frame the message. */
  readonly headers: readonly HeaderField[]
  readonly authority: string
  readonly secure: boolean
  readonly hasBody: boolean
  /** Bytes of the body, if the visitor gave them. */
  readonly length: number | undefined
  readonly expectsContinue: boolean
  readonly acceptsTrailers: boolean
  /** The protocol to change to. */
  readonly upgrade: string | undefined
}

/** The head of a response, and its body. */
export interface UpstreamResponse {
  readonly status: number
  readonly message: string
  /** Names and values in turns. */
  readonly rawHeaders: readonly string[]
  readonly connection: string | undefined
  /** The names of trailers that are announced. */
  readonly trailer: string | undefined
  readonly length: string | undefined
  /** The head is all of it, as in a gRPC error: no body and no trailers follow. */
  readonly ended: boolean
  /** Trailers may follow the body. */
  readonly mayHaveTrailers: boolean
  readonly body: Readable
  /** Complete when the body has ended. */
  trailers(): readonly string[]
}

/** What is known about a request that failed. */
export interface UpstreamFailure {
  readonly error: Error
  /**
   * `no`: the service has not processed any of it. `unknown`: the connection was lost, so that it may have. Absent: the
   * service has begun.
   */
  readonly processed?: 'no' | 'unknown'
  /** The code of the RST_STREAM with which an HTTP/2 service gave it up, RFC 9113 §7. */
  readonly code?: number
}

/** Receives what becomes of a request. */
export interface UpstreamHandler {
  onContinue(): void
  onInformation(status: number, fields: readonly HeaderField[]): void
  onResponse(response: UpstreamResponse): void
  onUpgrade(response: UpstreamResponse, stream: Duplex, head: Buffer): void
  /** Called once, before the response or while its body comes. Nothing follows. */
  onFailure(failure: UpstreamFailure): void
}

/** A request that was sent. */
export interface PendingRequest {
  /** Takes the body. */
  readonly body: Writable
  /** The body is complete. */
  end(trailers: readonly HeaderField[]): void
  /** Gives it up. `code`: for RST_STREAM where the service speaks HTTP/2. */
  abort(code?: number): void
}

/** A connection that can take a request. */
export interface UpstreamConnection {
  /** Other requests may have been on it, so that the service may be closing it. */
  readonly reused: boolean
  send(request: UpstreamRequest, handler: UpstreamHandler): PendingRequest
}

/** How a connection is chosen. */
export interface ConnectOptions {
  readonly visitor: VisitorInfo
  /** The request can be sent again if the connection turns out to be closed. */
  readonly repeatable: boolean
  /** No connection that was used before. */
  readonly fresh: boolean
  /** The request is over. */
  readonly abort: LazyAbort
  /** Milliseconds to wait for the service. @default those of the tunnel */
  readonly timeout?: number | undefined
}

/** Connections to one service, in one version of HTTP. */
export interface Upstream {
  /** A connection for one request. Rejects with `stream.*`. */
  connect(options: ConnectOptions): UpstreamConnection | Promise<UpstreamConnection>
  /** Closes idle connections. Requests in flight go on. */
  close(): void
}
