import { type PublishHost, RystraError, type VisitorInfo } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { part } from './part.js'

/** Milliseconds a stream waits for its next request: a little less than the five seconds after which Node's servers close. */
const IDLE = 4000

/** Milliseconds after which a request that cannot be repeated gets a new stream: the service may be closing the old one. */
const FRESH = 1000

/**
 * Streams of one proxy that wait, at most. Those of a burst, 100 requests at once from each of ten browsers say, are all free for a
 * moment before the next requests come: what is ended then has to be opened again at once, which costs more than the requests do.
 */
const IDLE_LIMIT = 1024

/** Whose requests share a stream. */
export type Reuse = 'all' | 'visitor' | 'never'

/** A stream to the service, for one request after the other. */
interface Kept {
  readonly stream: Duplex
  /** Who alone may use it; empty: anybody. */
  readonly key: string
  readonly hooks: PublishHost['hooks']
  idleSince: number | undefined
}

/** The connections of one proxy to its service: kept alive, and used again by the last that came free. */
export class Pool {
  readonly #host: PublishHost
  readonly #reuse: Reuse
  readonly #idle = new Map<string, Kept[]>()
  #waiting = 0
  #timer: NodeJS.Timeout | undefined

  constructor(host: PublishHost, reuse: Reuse) {
    this.#host = host
    this.#reuse = reuse
    host.signal.addEventListener('abort', () => this.close(), { once: true })
  }

  /** Streams that wait for a request. */
  get idle(): number {
    return this.#waiting
  }

  /**
   * A stream that waits, if there is one for this visitor.
   *
   * @param repeatable whether the request may be sent once more, should the service have closed the stream meanwhile
   */
  take(visitor: VisitorInfo, repeatable: boolean): Duplex | undefined {
    if (this.#waiting === 0) return undefined
    return this.#takeOf('', repeatable) ?? this.#takeOf(keyOf(visitor), repeatable)
  }

  #takeOf(key: string, repeatable: boolean): Duplex | undefined {
    const waiting = this.#idle.get(key)
    for (let kept = waiting?.at(-1); kept !== undefined; kept = waiting?.at(-1)) {
      if (!repeatable && Date.now() - (kept.idleSince ?? 0) > FRESH) return undefined
      this.#forget(kept)
      // Those who look at visitors may be others after a reload.
      if (kept.hooks === this.#host.hooks) return kept.stream
      part(kept.stream)
    }
    return undefined
  }

  /**
   * A new stream. Rejects with `stream.*`.
   *
   * @param patience milliseconds to wait for the service, if fewer than usual
   */
  async open(visitor: VisitorInfo, signal: AbortSignal, patience?: number): Promise<Duplex> {
    const { hooks } = this.#host
    const options = patience === undefined ? { signal } : { signal, timeout: patience }
    const { stream, bound } = await this.#host.openStream(visitor, options)
    if (signal.aborted) {
      stream.destroy()
      throw new RystraError('stream.reset', { side: 'server', detail: 'the visitor is gone' })
    }
    const alone = this.#reuse === 'visitor' || bound === true
    this.#keep({ stream, key: alone ? keyOf(visitor) : '', hooks, idleSince: undefined })
    return stream
  }

  #keep(kept: Kept): void {
    const { stream } = kept
    const parsed = stream as { parser?: unknown }
    // What a service says without having been asked would be taken for the answer to the next question.
    const isIdle = (): boolean => kept.idleSince !== undefined || parsed.parser == null
    const unasked = (): void => {
      if (isIdle()) stream.destroy()
    }
    const ended = (): void => {
      if (!isIdle()) return
      this.#forget(kept)
      part(stream)
    }
    stream.on('error', () => {})
    stream.on('data', unasked)
    stream.on('end', ended)
    stream.on('close', () => {
      if (kept.idleSince !== undefined) this.#forget(kept)
    })
    stream.on('free', () => this.#freed(kept))
    // Another protocol from here on.
    stream.on('agentRemove', () => stream.off('data', unasked).off('end', ended))
  }

  #freed(kept: Kept): void {
    const { stream, key } = kept
    const full = this.#waiting >= IDLE_LIMIT
    if (stream.destroyed) return
    if (full || !stream.writable || this.#reuse === 'never' || this.#host.signal.aborted) {
      part(stream)
      return
    }
    kept.idleSince = Date.now()
    const waiting = this.#idle.get(key)
    if (waiting === undefined) this.#idle.set(key, [kept])
    else waiting.push(kept)
    this.#waiting += 1
    this.#timer ??= setTimeout(() => this.#sweep(), IDLE).unref()
  }

  #forget(kept: Kept): void {
    kept.idleSince = undefined
    const waiting = this.#idle.get(kept.key)
    const at = waiting?.lastIndexOf(kept) ?? -1
    if (waiting === undefined || at === -1) return
    waiting.splice(at, 1)
    this.#waiting -= 1
    if (waiting.length === 0) this.#idle.delete(kept.key)
  }

  #sweep(): void {
    const before = Date.now() - IDLE
    for (const waiting of [...this.#idle.values()]) {
      for (const kept of [...waiting]) {
        if ((kept.idleSince ?? 0) > before) break
        this.#forget(kept)
        part(kept.stream)
      }
    }
    this.#timer = this.#waiting === 0 ? undefined : setTimeout(() => this.#sweep(), IDLE / 4).unref()
  }

  /** Ends those that wait; the others end with their request. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const waiting of [...this.#idle.values()]) {
      for (const kept of [...waiting]) {
        this.#forget(kept)
        part(kept.stream)
      }
    }
  }
}

const keyOf = ({ host, port }: VisitorInfo): string => `${host} ${port}`
