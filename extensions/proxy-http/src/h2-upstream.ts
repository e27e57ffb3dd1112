import { closeWithSession } from '@rystra/net'
import { isRefusal, isRystraError, type PublishHost, RystraError } from '@rystra/plugin'
import { once } from 'node:events'
import http2, { type ClientHttp2Session } from 'node:http2'
import { sendH2 } from './h2-request.js'
import { headLimits } from './head-limits.js'
import type { ConnectOptions, Upstream, UpstreamConnection } from './upstream.js'

/** Milliseconds after which an idle connection of a single visitor is closed. */
const IDLE_TIMEOUT_MS = 10_000

/** Milliseconds that a service has to send its settings, when they decide how a request is sent. */
const SETTINGS_TIMEOUT_MS = 2000

/** Bytes of one response that may be unread. 256 KiB carry 40 Mbit/s over 50 ms. */
const STREAM_WINDOW_BYTES = 256 * 1024

/** All responses of a connection together. The default, 64 KiB, would be 10 Mbit/s over 50 ms for all visitors. */
const CONNECTION_WINDOW_BYTES = 0x7fffffff

/**
 * The HTTP/2 connection of one proxy to its service: one for all visitors, made for the first request, and again when it
 * is closed. Where hooks judge a stream by its visitor, each visitor has one.
 */
export class H2Upstream implements Upstream {
  readonly #host: PublishHost
  readonly #maxHeadSize: number
  readonly #sessions = new Map<string, ClientHttp2Session>()
  #connecting: Promise<unknown> | undefined
  #closed = false

  constructor(host: PublishHost, maxHeadSize: number) {
    this.#host = host
    this.#maxHeadSize = maxHeadSize
    host.signal.addEventListener('abort', () => this.close(), { once: true })
  }

  async connect(options: ConnectOptions): Promise<UpstreamConnection> {
    const { session, reused } = await this.#session(options)
    return { reused, send: (request, handler) => sendH2(request, session, handler) }
  }

  /** A connection on which WebSockets can be opened, RFC 8441. `undefined`: the service does not offer that. */
  async connectExtended(options: ConnectOptions): Promise<UpstreamConnection | undefined> {
    const { session, reused } = await this.#session(options)
    if (Object.keys(session.remoteSettings).length === 0 || session.pendingSettingsAck) {
      const signal = AbortSignal.timeout(SETTINGS_TIMEOUT_MS)
      await once(session, 'remoteSettings', { signal }).catch(() => {})
    }
    if (session.closed || session.destroyed || session.remoteSettings.enableConnectProtocol !== true) return undefined
    return { reused, send: (request, handler) => sendH2(request, session, handler) }
  }

  /** The session that is up, or a new one. Rejects as opening its stream does. */
  async #session(options: ConnectOptions): Promise<{ session: ClientHttp2Session; reused: boolean }> {
    const { visitor } = options
    const own = `${visitor.host} ${visitor.port}`
    for (;;) {
      const present = this.#sessions.get('') ?? this.#sessions.get(own)
      // A session that breaks is marked before it emits anything.
      if (present !== undefined && !present.closed && !present.destroyed) return { session: present, reused: true }
      if (this.#connecting === undefined) break
      try {
        await this.#connecting
      } catch (error) {
        // A refusal concerns one visitor; other errors concern all of them.
        if (!isRystraError(error) || !isRefusal(error.code)) throw error
      }
    }
    const connecting = this.#connect(options, own)
    this.#connecting = connecting
    try {
      return { session: await connecting, reused: false }
    } finally {
      this.#connecting = undefined
    }
  }

  async #connect({ visitor, timeout }: ConnectOptions, own: string): Promise<ClientHttp2Session> {
    const { stream, bound } = await this.#host.openStream(visitor, timeout === undefined ? {} : { timeout })
    const key = bound === true ? own : ''
    const session = http2.connect('http://service', {
      createConnection: () => stream,
      ...headLimits(this.#maxHeadSize),
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        ...headLimits(this.#maxHeadSize).settings
      }
    })
    closeWithSession(session, stream)
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW_BYTES)
    })
    this.#sessions.set(key, session)
    const forget = (): void => {
      if (this.#sessions.get(key) === session) this.#sessions.delete(key)
    }
    // Requests that are on it go on; the next one gets another.
    session.on('goaway', forget)
    session.on('close', forget)
    // Each request on it reports its own failure.
    session.on('error', forget)
    if (bound === true) session.setTimeout(IDLE_TIMEOUT_MS, () => session.close())
    if (this.#closed) {
      session.close()
      throw new RystraError('session.lost', { side: 'server' })
    }
    return session
  }

  close(): void {
    this.#closed = true
    for (const session of this.#sessions.values()) session.close()
  }
}
