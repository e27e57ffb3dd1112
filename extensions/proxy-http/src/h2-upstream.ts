import { isRefusal, isRystraError, type PublishHost, RystraError } from '@rystra/plugin'
import { H2Session } from './h2-session.js'
import type { ConnectOptions, Upstream, UpstreamConnection } from './upstream.js'

/** Milliseconds after which an idle connection is closed that is of one visitor alone, or beside others. */
const IDLE_TIMEOUT_MS = 10_000

/** Connections of one proxy to a service that takes few requests at a time. What is beyond waits, as it would on a single one. */
const MAX_SESSIONS = 64

/** A session on which one more request is counted, from the choice on. */
interface Place {
  readonly session: H2Session
  readonly reused: boolean
  /** Called when the request is over. */
  release(): void
}

/**
 * The HTTP/2 connections of one proxy to its service: one for all visitors, made for the first request, and again when it
 * is closed. Another one is made when the service takes no more requests on those that are there (its
 * SETTINGS_MAX_CONCURRENT_STREAMS), so that requests do not wait for streams without an end. Where hooks judge a stream by its
 * visitor, each visitor has its own.
 */
export class H2Upstream implements Upstream {
  readonly #host: PublishHost
  readonly #maxHeadSize: number
  readonly #sessions = new Map<string, Set<H2Session>>()
  #connecting: Promise<unknown> | undefined
  #closed = false

  constructor(host: PublishHost, maxHeadSize: number) {
    this.#host = host
    this.#maxHeadSize = maxHeadSize
    host.signal.addEventListener('abort', () => this.close(), { once: true })
  }

  async connect(options: ConnectOptions): Promise<UpstreamConnection> {
    return connectionOn(await this.#session(options))
  }

  /** A connection on which WebSockets can be opened, RFC 8441. `undefined`: the service does not offer that. */
  async connectExtended(options: ConnectOptions): Promise<UpstreamConnection | undefined> {
    const place = await this.#session(options)
    await place.session.settings()
    if (place.session.extended) return connectionOn(place)
    place.release()
    return undefined
  }

  /** A session that takes a request now, or a new one. Rejects as opening its stream does. */
  async #session(options: ConnectOptions): Promise<Place> {
    const { visitor } = options
    const own = `${visitor.host} ${visitor.port}`
    for (;;) {
      const session = this.#present(own)
      // Without its settings it is not known how many requests it takes beside the first.
      const settings = session?.inFlight === 0 ? undefined : session?.settings()
      if (settings !== undefined) {
        await settings
        if (session?.open !== true || !session.hasRoom) continue
      }
      if (session !== undefined) return { session, reused: true, release: session.reserve() }
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
      return await connecting
    } finally {
      this.#connecting = undefined
    }
  }

  /** The first session with room; where there may be no more of them, the one with the fewest requests. */
  #present(own: string): H2Session | undefined {
    const open = [...(this.#sessions.get('') ?? this.#sessions.get(own) ?? [])].filter((session) => session.open)
    const free = open.find((session) => session.hasRoom)
    if (free !== undefined || open.length < MAX_SESSIONS) return free
    return open.reduce((least, session) => (session.inFlight < least.inFlight ? session : least))
  }

  async #connect({ visitor, timeout }: ConnectOptions, own: string): Promise<Place> {
    const { stream, bound } = await this.#host.openStream(visitor, timeout === undefined ? {} : { timeout })
    const key = bound === true ? own : ''
    const present = this.#sessions.get(key) ?? new Set()
    const session = new H2Session(stream, {
      maxHeadSize: this.#maxHeadSize,
      idleTimeout: bound === true || present.size > 0 ? IDLE_TIMEOUT_MS : undefined,
      onEnd: () => {
        present.delete(session)
        if (present.size === 0 && this.#sessions.get(key) === present) this.#sessions.delete(key)
      }
    })
    present.add(session)
    this.#sessions.set(key, present)
    if (this.#closed) {
      session.session.close()
      throw new RystraError('session.lost', { side: 'server' })
    }
    return { session, reused: false, release: session.reserve() }
  }

  close(): void {
    this.#closed = true
    for (const sessions of this.#sessions.values()) for (const { session } of sessions) session.close()
  }
}

const connectionOn = ({ session, reused, release }: Place): UpstreamConnection => ({
  reused,
  send: (request, handler) => session.send(request, handler, release)
})
