import { TokenBucket } from '@rystra/limits'
import { closeWithSession } from '@rystra/net'
import { RystraError } from '@rystra/plugin'
import http2, { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { ConnectionInfo } from './connection-info.js'
import { Exchange } from './exchange.js'
import type { World } from './world.js'
import { headLimits } from './head-limits.js'
import { H2Writer } from './response-writer.js'
import { startExchange } from './start.js'
import { h2VisitorRequest } from './visitor-request.js'

/** Requests a visitor may cancel in a second, and at once: browsers do when a page is left. */
const RESETS_PER_SECOND = 50
const RESET_BURST = 500

/** Bytes of one request body that may be unread, the default of HTTP/2. */
const STREAM_WINDOW_BYTES = 65_535

/** Mebibytes of one connection. */
const SESSION_MEMORY = 4

/** HTTP/2 connections of visitors. */
export class H2Front {
  readonly #world: World
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor(world: World) {
    this.#world = world
  }

  accept(socket: Duplex, connection: ConnectionInfo): void {
    const { maxHeadSize, maxConcurrentStreams, keepAliveTimeout } = this.#world.options
    // Node does not notice the end of a connection that may be open in one direction alone.
    socket.once('end', () => socket.destroy())
    const limits = headLimits(maxHeadSize)
    const session = http2.performServerHandshake(socket, {
      ...limits,
      maxSessionMemory: SESSION_MEMORY,
      settings: { ...limits.settings, maxConcurrentStreams, enableConnectProtocol: true }
    })
    this.#sessions.add(session)
    closeWithSession(session, socket)
    // The default, 64 KiB, is for all uploads of a connection together.
    session.setLocalWindowSize(Math.min(STREAM_WINDOW_BYTES * maxConcurrentStreams, 0x7fffffff))
    const guard = new ResetGuard(session)
    let openStreams = 0
    const onStream = (
      stream: ServerHttp2Stream,
      headers: IncomingHttpHeaders,
      _flags: number,
      rawHeaders: readonly string[]
    ): void => {
      stream.on('error', () => {})
      session.setTimeout(0)
      openStreams += 1
      stream.once('close', () => {
        openStreams -= 1
        if (openStreams === 0 && !session.destroyed) session.setTimeout(keepAliveTimeout)
      })
      if (!guard.admits(stream)) return
      const request = h2VisitorRequest(stream, headers, rawHeaders)
      const protocol = headers[':protocol'] as string | undefined
      const writer = new H2Writer(stream, request.method)
      const exchange = new Exchange(this.#world, request, writer, {
        connection,
        expectsContinue: headers.expect === '100-continue',
        ...(protocol === undefined ? {} : { upgrade: { protocol, socket: stream, head: Buffer.alloc(0) } })
      })
      startExchange(exchange, connection, request, writer, this.#world)
    }
    // The types of Node 20 leave out the last argument.
    session.on('stream', onStream as never)
    session.on('close', () => this.#sessions.delete(session))
    session.on('error', () => {})
    // Only without requests: those have limits of their own, which a proxy sets, and a WebSocket has none.
    session.on('timeout', () => session.close())
    session.setTimeout(keepAliveTimeout)
  }

  /** Sends GOAWAY: requests in flight are answered, and the next ones need a new connection. */
  retire(): void {
    for (const session of this.#sessions) session.close()
  }

  close(): void {
    for (const session of this.#sessions) session.destroy(new RystraError('session.closing', { side: 'server' }))
  }
}

/** Ends a connection that cancels requests as fast as it makes them, CVE-2023-44487. */
export class ResetGuard {
  readonly #session: ServerHttp2Session
  readonly #resets = new TokenBucket(RESETS_PER_SECOND, RESET_BURST, Date.now())
  #exceeded = false

  constructor(session: ServerHttp2Session) {
    this.#session = session
  }

  /** `false`: the stream is not to be served. */
  admits(stream: ServerHttp2Stream): boolean {
    if (this.#exceeded) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM)
      return false
    }
    // It was reset in the segment that opened it.
    if (stream.aborted || stream.destroyed || stream.closed) {
      this.#count()
      return false
    }
    stream.once('aborted', () => this.#count())
    return true
  }

  #count(): void {
    if (this.#exceeded || this.#resets.take(1, Date.now())) return
    this.#exceeded = true
    // nghttp2 is reading: a session that is destroyed at once ends the process.
    setImmediate(() => {
      if (this.#session.destroyed) return
      this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
      this.#session.destroy()
    })
  }
}
