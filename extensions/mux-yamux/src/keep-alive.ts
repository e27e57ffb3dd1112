import { SHARED } from '@rystra/native'
import { performance } from 'node:perf_hooks'
import { Flag, Type } from './frame.js'
import type { Outgoing } from './outgoing.js'
import { RoundTrip } from './round-trip.js'

/** Age after which the round trip is measured again on demand. */
const STALE_AFTER_MS = 2000

/**
 * Pings one after the other when the first data stream is opened. One sample alone may be late: of two processes that had just started
 * it made a round trip of 36 ms out of 0.3 on loopback, and windows of eight streams grow to as many bytes as pass in four of them.
 */
const FIRST_SAMPLES = 4

/** Times in milliseconds; an interval of 0 for no pings. */
export interface KeepAliveLimits {
  readonly keepAliveInterval: number
  readonly keepAliveTimeout: number
}

/** Measures the round trip and detects a dead peer. */
export class KeepAlive {
  readonly #out: Outgoing
  readonly #interval: number
  readonly #timeout: number
  readonly #onDead: (why: string) => void
  #timer: NodeJS.Timeout | undefined
  /** Milliseconds without a byte of the peer, as of the last check. */
  #quiet = 0
  #waited = 0
  #pending: number | undefined
  #next = 0
  #sentAt = 0
  #measuredAt = Number.NEGATIVE_INFINITY
  #samples = 0
  readonly #roundTrip = new RoundTrip()
  readonly #shared: Float64Array

  /** @param shared tells the native part the round trip, and what it has heard */
  constructor(
    out: Outgoing,
    shared: Float64Array,
    { keepAliveInterval: interval, keepAliveTimeout: timeout }: KeepAliveLimits,
    dead: (why: string) => void
  ) {
    this.#shared = shared
    this.#out = out
    this.#interval = interval
    this.#timeout = timeout
    this.#onDead = dead
  }

  start(): void {
    if (this.#interval > 0) this.#wait(this.#interval)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** Data was received. */
  received(): void {
    this.#shared[SHARED.heard] = 1
  }

  /** Milliseconds, see {@link RoundTrip}. */
  get roundTrip(): number {
    return this.#roundTrip.ms
  }

  /** Measures before windows grow, unless that is done: a session without data streams has none, and a thousand come at once. */
  measure(): void {
    if (this.#samples < FIRST_SAMPLES) this.ping()
  }

  /** Measures again if the last result is stale. */
  refresh(now: number): void {
    if (this.#pending === undefined && now - this.#measuredAt > STALE_AFTER_MS) this.ping()
  }

  ping(): void {
    if (this.#pending !== undefined) return
    this.#pending = this.#next
    this.#next = (this.#next + 1) >>> 0
    this.#sentAt = performance.now()
    this.#out.frame(Type.ping, Flag.syn, 0, this.#pending)
  }

  answered(value: number): void {
    if (value !== this.#pending) return
    this.#pending = undefined
    this.#measuredAt = performance.now()
    this.#roundTrip.add(this.#measuredAt - this.#sentAt)
    this.#shared[SHARED.roundTrip] = this.roundTrip
    this.#samples += 1
    if (this.#samples < FIRST_SAMPLES) this.ping()
  }

  #wait(ms: number): void {
    this.#waited = ms
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#check, ms).unref()
  }

  /** Pings at each interval, also while data arrives: a link that falls silent after a check would be silent for two. */
  readonly #check = (): void => {
    const limit = this.#interval + this.#timeout
    this.#quiet = this.#shared[SHARED.heard] === 1 ? 0 : this.#quiet + this.#waited
    this.#shared[SHARED.heard] = 0
    if (this.#out.blockedFor() > limit) this.#onDead('peer does not read')
    else if (this.#quiet >= limit) this.#onDead('peer does not answer')
    else {
      this.ping()
      this.#wait(Math.min(this.#interval, limit - this.#quiet))
    }
  }
}
