import { closeWithSession } from '@rystra/net'
import { once } from 'node:events'
import http2, { type ClientHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'
import { sendH2 } from './h2-request.js'
import { headLimits } from './head-limits.js'
import type { PendingRequest, UpstreamHandler, UpstreamRequest } from './upstream.js'

/** Milliseconds that a service has to send its settings, when they decide how a request is sent. */
const SETTINGS_TIMEOUT_MS = 2000

/** Bytes of one response that may be unread. 256 KiB carry 40 Mbit/s over 50 ms. */
const STREAM_WINDOW_BYTES = 256 * 1024

/** All responses of a connection together. The default, 64 KiB, would be 10 Mbit/s over 50 ms for all visitors. */
const CONNECTION_WINDOW_BYTES = 0x7fffffff

/** What Node says of a session that ended for it. */
const isCalm = /\b(11|NGHTTP2_ENHANCE_YOUR_CALM)$/

/** How a {@link H2Session} is made. */
export interface H2SessionOptions {
  readonly maxHeadSize: number
  /** Milliseconds without a request after which it is closed. @default never */
  readonly idleTimeout?: number | undefined
  /** Called when it takes no more requests. May be called several times. */
  onEnd(): void
}

/** One HTTP/2 connection to a service. */
export class H2Session {
  readonly session: ClientHttp2Session
  /** The last stream that the service processes, once it has said GOAWAY. */
  lastStream: number | undefined
  readonly #idleTimeout: number | undefined
  #settings: Promise<unknown> | undefined
  #inFlight = 0
  #idle: NodeJS.Timeout | undefined

  constructor(stream: Duplex, { maxHeadSize, idleTimeout, onEnd }: H2SessionOptions) {
    const limits = headLimits(maxHeadSize)
    const session = http2.connect('http://service', {
      createConnection: () => stream,
      ...limits,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES, ...limits.settings }
    })
    this.session = session
    this.#idleTimeout = idleTimeout
    closeWithSession(session, stream)
    this.#outliveGoAway()
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW_BYTES)
    })
    session.on('goaway', (_code: number, last: number) => {
      this.lastStream = last
      // Requests that are on it go on; the next one gets another.
      onEnd()
    })
    session.on('close', () => {
      clearTimeout(this.#idle)
      onEnd()
    })
    // Each request on it reports its own failure.
    session.on('error', onEnd)
  }

  /**
   * Node destroys a session at a GOAWAY with an error code. ENHANCE_YOUR_CALM says why no more requests are taken: those up to its
   * last stream may still be answered, RFC 9113 §6.8. Behind the other codes the service closes the connection, §5.4.1.
   */
  #outliveGoAway(): void {
    const { session } = this
    const destroy = session.destroy.bind(session)
    session.destroy = (error?: Error, code?: number): void => {
      const goAway = (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_HTTP2_SESSION_ERROR'
      if (goAway && isCalm.test(error?.message ?? '') && !session.closed) session.close()
      else destroy(error, code)
    }
  }

  /** Whether it can take a request. A session that breaks is marked before it emits anything. */
  get open(): boolean {
    return !this.session.closed && !this.session.destroyed
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get #settingsKnown(): boolean {
    return Object.keys(this.session.remoteSettings).length > 0 && !this.session.pendingSettingsAck
  }

  /** Resolves when the service has sent its settings, or took too long. */
  settings(): Promise<unknown> | undefined {
    if (this.#settingsKnown) return undefined
    this.#settings ??= once(this.session, 'remoteSettings', { signal: AbortSignal.timeout(SETTINGS_TIMEOUT_MS) }).catch(
      () => {}
    )
    return this.#settings
  }

  /** Whether the service takes one more request at the same time. More would wait for others to end. */
  get hasRoom(): boolean {
    const { maxConcurrentStreams = Number.POSITIVE_INFINITY } = this.session.remoteSettings
    return this.#inFlight < maxConcurrentStreams
  }

  /** Whether WebSockets can be opened on it, RFC 8441. */
  get extended(): boolean {
    return this.open && this.session.remoteSettings.enableConnectProtocol === true
  }

  /** Counts a request that is about to be sent, until the answer is called. */
  reserve(): () => void {
    this.#inFlight += 1
    clearTimeout(this.#idle)
    let over = false
    return () => {
      if (over) return
      over = true
      this.#inFlight -= 1
      if (this.#inFlight > 0 || this.#idleTimeout === undefined) return
      this.#idle = setTimeout(() => this.session.close(), this.#idleTimeout).unref()
    }
  }

  /** Throws where it takes no more requests. */
  send(request: UpstreamRequest, handler: UpstreamHandler, release: () => void): PendingRequest {
    try {
      return sendH2(request, this, handler, release)
    } catch (error) {
      release()
      throw error
    }
  }
}
