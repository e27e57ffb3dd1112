import { type PublishHost, RystraError, type VisitorInfo } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { closeGracefully } from './close-gracefully.js'
import { sendH1 } from './h1-request.js'
import type { ConnectOptions, Upstream, UpstreamConnection } from './upstream.js'

/** Milliseconds a stream waits for its next request, unless the service says another time: below the 5 s of Node's servers. */
const IDLE_TIMEOUT_MS = 4000

/** Milliseconds before the time that a service announces after which a stream is not used: the way there takes some. */
const MARGIN_MS = 1000

/**
 * Streams of one proxy that wait, at most. Those of a burst, 100 requests at once from each of ten browsers say, are all free for a
 * moment before the next requests come: what is ended then has to be opened again at once, which costs more than the requests do.
 */
const MAX_IDLE = 1024

/** Requests that share a stream. */
export type Reuse = 'all' | 'visitor' | 'never'

/** A stream to the service, for one request after the other. */
class Connection implements UpstreamConnection {
  readonly stream: Duplex
  /** The only visitor that may use it; empty: any. */
  readonly key: string
  readonly hooks: PublishHost['hooks']
  readonly #maxHeadSize: number
  reused = false
  idleSince: number | undefined
  /** Milliseconds for which the service keeps an idle connection, as it announced in `Keep-Alive`. */
  announced: number | undefined

  constructor(stream: Duplex, key: string, hooks: PublishHost['hooks'], maxHeadSize: number) {
    this.stream = stream
    this.key = key
    this.hooks = hooks
    this.#maxHeadSize = maxHeadSize
  }

  /** Milliseconds it may have been idle for its next request. */
  maxIdle(repeatable: boolean, announcementsHold: boolean): number {
    const { announced } = this
    if (repeatable) return announced === undefined ? IDLE_TIMEOUT_MS : Math.max(0, announced - MARGIN_MS)
    // A service that closes without notice may be doing so now, and such a request cannot be sent again.
    return announced === undefined || !announcementsHold ? -1 : announced / 2 - MARGIN_MS
  }

  send(...[request, handler]: Parameters<UpstreamConnection['send']>): ReturnType<UpstreamConnection['send']> {
    return sendH1(request, this.stream, this.#maxHeadSize, {
      onContinue: () => handler.onContinue(),
      onInformation: (status, fields) => handler.onInformation(status, fields),
      onResponse: (response) => {
        const at = response.rawHeaders.findIndex((name, index) => index % 2 === 0 && /^keep-alive$/i.test(name))
        const [, seconds] = at === -1 ? [] : (/timeout=(\d{1,6})/i.exec(response.rawHeaders[at + 1] as string) ?? [])
        this.announced = seconds === undefined ? undefined : Number(seconds) * 1000
        handler.onResponse(response)
      },
      onUpgrade: (response, stream, head) => handler.onUpgrade(response, stream, head),
      onFailure: (failure) => handler.onFailure(failure)
    })
  }
}

/** The HTTP/1.1 connections of one proxy to its service: kept alive, and used again by the last that came free. */
export class H1Upstream implements Upstream {
  readonly #host: PublishHost
  readonly #reuse: Reuse
  readonly #maxHeadSize: number
  readonly #idle = new Map<string, Connection[]>()
  #count = 0
  #timer: NodeJS.Timeout | undefined
  /** The service has kept its connections for as long as it announced. */
  #announcementsHold = true

  constructor(host: PublishHost, reuse: Reuse, maxHeadSize: number) {
    this.#host = host
    this.#reuse = reuse
    this.#maxHeadSize = maxHeadSize
    host.signal.addEventListener('abort', () => this.close(), { once: true })
  }

  /** Streams that wait for a request. */
  get idle(): number {
    return this.#count
  }

  connect(options: ConnectOptions): UpstreamConnection | Promise<UpstreamConnection> {
    const { visitor, repeatable, fresh } = options
    const kept =
      fresh || this.#count === 0
        ? undefined
        : (this.#takeFrom('', repeatable) ?? this.#takeFrom(keyOf(visitor), repeatable))
    return kept ?? this.#open(options)
  }

  #takeFrom(key: string, repeatable: boolean): Connection | undefined {
    const waiting = this.#idle.get(key)
    for (let kept = waiting?.at(-1); kept !== undefined; kept = waiting?.at(-1)) {
      const idle = Date.now() - (kept.idleSince ?? 0)
      // Those below have been idle for longer.
      if (idle > kept.maxIdle(repeatable, this.#announcementsHold)) return undefined
      this.#forget(kept)
      const { stream } = kept
      const open = stream.writable && !stream.readableEnded && !stream.destroyed
      // The hooks that look at visitors may be others after a reload.
      if (open && kept.hooks === this.#host.hooks) {
        kept.reused = true
        return kept
      }
      closeGracefully(stream)
    }
    return undefined
  }

  async #open({ visitor, abort, timeout }: ConnectOptions): Promise<Connection> {
    const { hooks } = this.#host
    const { stream, bound } = await this.#host.openStream(visitor, {
      signal: abort.signal,
      ...(timeout === undefined ? {} : { timeout })
    })
    if (abort.aborted) {
      stream.destroy()
      throw new RystraError('stream.reset', { side: 'server', detail: 'the visitor is gone' })
    }
    const alone = this.#reuse === 'visitor' || bound === true
    const made = new Connection(stream, alone ? keyOf(visitor) : '', hooks, this.#maxHeadSize)
    this.#watch(made)
    return made
  }

  #watch(connection: Connection): void {
    const { stream } = connection
    const parsed = stream as { parser?: unknown }
    const isIdle = (): boolean => connection.idleSince !== undefined || parsed.parser == null
    // Bytes outside of a response would be taken for the response to the next request.
    const unexpected = (): void => {
      if (isIdle()) stream.destroy()
    }
    const ended = (): void => {
      const { idleSince, announced } = connection
      if (announced !== undefined && Date.now() - (idleSince ?? Date.now()) < announced - MARGIN_MS) {
        this.#announcementsHold = false
      }
      if (!isIdle()) return
      this.#forget(connection)
      closeGracefully(stream)
    }
    stream.on('error', () => {})
    stream.on('data', unexpected)
    stream.on('end', ended)
    stream.on('close', () => {
      if (connection.idleSince !== undefined) this.#forget(connection)
    })
    stream.on('free', () => this.#freed(connection))
    // Another protocol from here on.
    stream.on('agentRemove', () => stream.off('data', unexpected).off('end', ended))
  }

  #freed(connection: Connection): void {
    const { stream, key } = connection
    const full = this.#count >= MAX_IDLE
    if (stream.destroyed) return
    if (full || !stream.writable || this.#reuse === 'never' || this.#host.signal.aborted) {
      closeGracefully(stream)
      return
    }
    connection.idleSince = Date.now()
    const waiting = this.#idle.get(key)
    if (waiting === undefined) this.#idle.set(key, [connection])
    else waiting.push(connection)
    this.#count += 1
    this.#timer ??= setTimeout(() => this.#sweep(), IDLE_TIMEOUT_MS).unref()
  }

  #forget(connection: Connection): void {
    connection.idleSince = undefined
    const waiting = this.#idle.get(connection.key)
    const at = waiting?.lastIndexOf(connection) ?? -1
    if (waiting === undefined || at === -1) return
    waiting.splice(at, 1)
    this.#count -= 1
    if (waiting.length === 0) this.#idle.delete(connection.key)
  }

  #sweep(): void {
    const before = Date.now() - IDLE_TIMEOUT_MS
    this.#closeIdle((kept) => (kept.idleSince ?? 0) <= before)
    this.#timer = this.#count === 0 ? undefined : setTimeout(() => this.#sweep(), IDLE_TIMEOUT_MS / 4).unref()
  }

  #closeIdle(due: (kept: Connection) => boolean): void {
    for (const waiting of [...this.#idle.values()]) {
      for (const kept of waiting.filter(due)) {
        this.#forget(kept)
        closeGracefully(kept.stream)
      }
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#closeIdle(() => true)
  }
}

const keyOf = ({ host, port }: VisitorInfo): string => `${host} ${port}`
