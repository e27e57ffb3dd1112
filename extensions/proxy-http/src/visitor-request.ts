import type { IncomingMessage } from 'node:http'
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { Duplex, Readable } from 'node:stream'

/** A request of a visitor, in either version of HTTP. */
export interface VisitorRequest {
  readonly version: string
  readonly method: string
  readonly target: string
  readonly headers: NodeJS.Dict<string | string[]>
  /** Names and values in turns; HTTP/2 has its pseudo-header fields here as well. */
  readonly rawHeaders: readonly string[]
  readonly rawTrailers: readonly string[]
  readonly body: Readable
  /** The connection, or the HTTP/2 stream: what closes when the visitor is gone. */
  readonly connection: Duplex
  /** HTTP/2: the request ended with its head. `undefined`: the fields of the head tell whether there is a body. */
  readonly endedWithHead: boolean | undefined
  /** The body was received to its end. */
  readonly complete: boolean
}

/** A request of HTTP/1. A class: accessors of a literal would give each request a shape of its own. */
export class H1VisitorRequest implements VisitorRequest {
  readonly version: string
  readonly method: string
  readonly target: string
  readonly headers: NodeJS.Dict<string | string[]>
  readonly rawHeaders: readonly string[]
  readonly body: IncomingMessage
  readonly connection: Duplex
  readonly endedWithHead = undefined

  constructor(message: IncomingMessage) {
    this.version = message.httpVersion
    this.method = message.method ?? ''
    this.target = message.url ?? ''
    this.headers = message.headers
    this.rawHeaders = message.rawHeaders
    this.body = message
    this.connection = message.socket
  }

  get rawTrailers(): readonly string[] {
    return this.body.rawTrailers
  }

  get complete(): boolean {
    return this.body.complete
  }
}

/** A request of HTTP/2. */
export const h2VisitorRequest = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[]
): VisitorRequest => {
  let rawTrailers: readonly string[] = []
  stream.on('trailers', (_fields: unknown, _flags: number, raw: readonly string[]) => {
    rawTrailers = raw
  })
  return {
    version: 'h2',
    method: headers[':method'] ?? '',
    target: headers[':path'] ?? '',
    headers,
    rawHeaders,
    get rawTrailers() {
      return rawTrailers
    },
    body: stream,
    connection: stream,
    endedWithHead: stream.endAfterHeaders,
    // Node emits `end` for a stream that was reset, too.
    get complete() {
      return !stream.aborted && (stream.rstCode ?? constants.NGHTTP2_NO_ERROR) === constants.NGHTTP2_NO_ERROR
    }
  }
}
