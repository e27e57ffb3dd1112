import { Waiters } from '@rystra/limits'
import { RystraError } from '@rystra/plugin'
import { performance } from 'node:perf_hooks'
import type { YamuxStream } from './stream.js'

/** Check interval, unless the timeouts are shorter. */
const CHECK_INTERVAL_MS = 5000

/** Times in milliseconds. */
export interface PendingLimits {
  readonly openTimeout: number
  /** 0 for no limit. */
  readonly closeTimeout: number
  /** Maximum of unacknowledged streams. */
  readonly backlog: number
}

const timedOut = (): RystraError => new RystraError('stream.timeout', { detail: 'peer acknowledges no streams' })

/**
 * Streams that wait for the peer: to be opened, acknowledged or ended. One timer for all, and none when there is
 * nothing.
 */
export class PendingStreams {
  readonly #limits: PendingLimits
  readonly #waiters: Waiters
  #opening: Map<YamuxStream, number> | undefined
  #closing: Map<YamuxStream, number> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(limits: PendingLimits) {
    this.#limits = limits
    this.#waiters = new Waiters({ timeout: limits.openTimeout, late: timedOut })
  }

  /** Streams that are not opened yet. */
  get waiters(): number {
    return this.#waiters.size
  }

  /** Calls `open` when one more stream may be opened, at once if possible. Rejects on timeout. */
  turn<Opened>(open: () => Opened, signal: AbortSignal | undefined): Promise<Opened> {
    return this.free ? Promise.resolve(open()) : this.#waiters.wait(open, signal)
  }

  /** Opens no more streams: waiting ones are rejected. */
  refuse(error: Error): void {
    this.#waiters.refuse(error)
  }

  opened(stream: YamuxStream): void {
    this.#opening ??= new Map()
    this.#opening.set(stream, performance.now())
    this.#watch()
  }

  /** Whether the peer has not acknowledged it yet. */
  isOpening(stream: YamuxStream): boolean {
    return this.#opening?.has(stream) === true
  }

  acknowledged(stream: YamuxStream): void {
    if (this.#opening?.delete(stream) !== true) return
    while (this.waiters > 0 && this.#admits) this.#waiters.serve()
  }

  halfClosed(stream: YamuxStream): void {
    if (this.#limits.closeTimeout === 0) return
    this.#closing ??= new Map()
    this.#closing.set(stream, performance.now())
    this.#watch()
  }

  over(stream: YamuxStream): void {
    this.#closing?.delete(stream)
    this.acknowledged(stream)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#opening?.clear()
    this.#closing?.clear()
  }

  /** Whether one more may be opened at once. */
  get free(): boolean {
    return this.#admits && this.waiters === 0
  }

  get #admits(): boolean {
    return (this.#opening?.size ?? 0) < this.#limits.backlog
  }

  #watch(): void {
    const { openTimeout, closeTimeout } = this.#limits
    const shortest = closeTimeout === 0 ? openTimeout : Math.min(openTimeout, closeTimeout)
    this.#timer ??= setInterval(this.#check, Math.min(CHECK_INTERVAL_MS, Math.ceil(shortest / 4))).unref()
  }

  readonly #check = (): void => {
    const { openTimeout, closeTimeout } = this.#limits
    const now = performance.now()
    for (const [stream, since] of this.#opening ?? []) {
      if (now - since < openTimeout) break
      stream.reset(new RystraError('stream.timeout', { detail: 'peer did not acknowledge it' }))
    }
    for (const [stream, since] of this.#closing ?? []) {
      if (stream.receiving.ended) this.#closing?.delete(stream)
      else if (stream.heard()) this.#closing?.set(stream, now)
      else if (now - since >= closeTimeout) {
        stream.reset(new RystraError('stream.timeout', { detail: 'peer did not end it' }))
      }
    }
    if ((this.#opening?.size ?? 0) > 0 || (this.#closing?.size ?? 0) > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
