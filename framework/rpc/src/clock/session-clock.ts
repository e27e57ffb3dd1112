import { type OffsetEstimate, OffsetEstimator } from './estimator.js'
import { type Exchange, measure, type RejectedExchange } from './exchange.js'
import { SampleSchedule } from './schedule.js'

/** Options of {@link SessionClock}. */
export interface SessionClockOptions {
  /** Own clock, in milliseconds since the epoch. @default {@link monotonicTime} */
  readonly time?: () => number
}

/** The timestamps of a Pong, as its frame carries them. */
export type PongTimes = Omit<Exchange, 't3'>

/** The smallest correction of an offset per millisecond, and the largest: time goes on in any case. */
const MIN_SLEW = 0.0005
const MAX_SLEW = 0.05
/** Corrections are made within about this time. */
const SLEW_MS = 500
/** A larger difference after a clock has jumped is not slewed: the mapping is another, and `epoch` says so. */
const STEP_MS = 100
/** Pings on their way, at most: the oldest is given up. */
const MAX_PENDING = 32

/** Milliseconds since the epoch that never go backwards: the wall clock at the start of the process, and the monotonic clock from then on. */
export const monotonicTime = (): number => performance.timeOrigin + performance.now()

const microseconds = (time: number): number => Math.round(time * 1000)

/**
 * The peer's clock, by Ping and Pong (RFC 5905) on the session. It does no I/O: {@link dueIn} says when to send a Ping
 * with the time of {@link ping}, and {@link pong} takes the answer.
 *
 * Offsets are corrected by slewing, at most 5 %, so that neither {@link toLocal} nor {@link toRemote} of the present
 * goes backwards. When a clock has really jumped by more than 100 ms the mapping changes at once, and {@link epoch} rises.
 */
export class SessionClock {
  readonly #time: () => number
  readonly #estimator = new OffsetEstimator()
  readonly #schedule = new SampleSchedule()
  /** Pings on their way, by the microsecond they carry. */
  readonly #pending = new Map<number, number>()
  #lastPing = Number.NEGATIVE_INFINITY
  #estimate: OffsetEstimate = { at: 0, offset: 0, error: Number.POSITIVE_INFINITY, rate: 0, errorRate: 0 }
  /** What is not yet corrected at `estimate.at`, and how much of it goes in a millisecond. */
  #residual = 0
  #slew = 0
  #latest = Number.NEGATIVE_INFINITY
  #shown = Number.NEGATIVE_INFINITY
  #delay: number | undefined
  #epoch = 0

  constructor({ time = monotonicTime }: SessionClockOptions = {}) {
    this.#time = time
  }

  /** Own clock, in milliseconds since the epoch. */
  local(): number {
    const time = this.#time()
    if (time < this.#latest) this.#restart()
    this.#latest = time
    return time
  }

  /** The peer's time now, in milliseconds since the epoch: never less than it has answered before. */
  now(): number {
    this.#shown = Math.max(this.#shown, this.toRemote(this.local()))
    return this.#shown
  }

  /** Milliseconds that the peer's clock is ahead of the own one. 0 until the first answer. */
  get offset(): number {
    return this.#offsetAt(this.local())
  }

  /** The offset is wrong by no more than this, in milliseconds: half the delay, drift, and what is not yet slewed. `Infinity` until the first answer. */
  get error(): number {
    const { at, error, errorRate } = this.#estimate
    const now = this.local()
    return error + errorRate * (now - at) + Math.abs(this.#residualAt(now))
  }

  /** Whether there was an answer since the own clock last went backwards. */
  get synchronised(): boolean {
    return this.#estimate.error !== Number.POSITIVE_INFINITY
  }

  /** How much faster the peer's clock goes than the own one: 0.0001 is 100 ppm. */
  get drift(): number {
    return this.#estimate.rate
  }

  /** The round trip of the last answer without what the peer held it for, in milliseconds. */
  get delay(): number | undefined {
    return this.#delay
  }

  /** 0 until the first answer, then from 1: rises when a clock has jumped and times of before are not comparable. */
  get epoch(): number {
    return this.#epoch
  }

  /** The own clock's time at a time of the peer's. Both in milliseconds since the epoch. */
  toLocal(remote: number): number {
    const now = this.local()
    return now + (remote - now - this.#offsetAt(now)) / (1 + this.drift)
  }

  /** The peer's time at a time of the own clock. */
  toRemote(local: number): number {
    const now = this.local()
    return local + this.#offsetAt(now) + this.drift * (local - now)
  }

  /** Milliseconds until the next Ping is due: each 100 ms at first and in doubt, then up to 3 s. */
  get dueIn(): number {
    return this.#schedule.dueIn(this.local())
  }

  /** The time `t0` of a Ping that is sent now, to the microsecond. */
  ping(): number {
    const now = this.local()
    this.#schedule.sent(now)
    const key = Math.max(microseconds(now), this.#lastPing + 1)
    this.#lastPing = key
    this.#pending.set(key, now)
    for (const oldest of this.#pending.keys()) {
      if (this.#pending.size <= MAX_PENDING) break
      this.#pending.delete(oldest)
    }
    return key / 1000
  }

  /** Takes a Pong. An answer that proves nothing is not used: the reason is for a counter, the session goes on. */
  pong(times: PongTimes): 'used' | 'suspect' | 'jumped' | RejectedExchange {
    const t3 = this.local()
    const key = microseconds(times.t0)
    const t0 = this.#pending.get(key)
    if (t0 === undefined) return 'unknown'
    this.#pending.delete(key)
    const sample = measure({ ...times, t0, t3 })
    if (typeof sample === 'string') return sample
    const outcome = this.#estimator.add(sample)
    if (outcome !== 'used') this.#schedule.doubt()
    this.#delay = sample.upper - sample.lower
    this.#follow(t3, outcome === 'jumped')
    return outcome
  }

  #follow(now: number, jumped: boolean): void {
    const next = this.#estimator.estimate(now)
    if (next === undefined) return
    const residual = this.#offsetAt(now) - next.offset
    const step = !this.synchronised || (jumped && Math.abs(residual) > STEP_MS)
    if (step) this.#epoch++
    this.#estimate = next
    this.#residual = step ? 0 : residual
    this.#slew = Math.min(Math.max(Math.abs(this.#residual) / SLEW_MS, MIN_SLEW), MAX_SLEW)
  }

  #residualAt(time: number): number {
    const left = Math.abs(this.#residual) - this.#slew * (time - this.#estimate.at)
    return left <= 0 ? 0 : Math.sign(this.#residual) * left
  }

  #offsetAt(time: number): number {
    return this.#estimate.offset + this.#estimate.rate * (time - this.#estimate.at) + this.#residualAt(time)
  }

  /** The own clock went backwards: what was measured by it is worth nothing. */
  #restart(): void {
    this.#pending.clear()
    this.#lastPing = Number.NEGATIVE_INFINITY
    this.#estimator.clear()
    this.#schedule.restart()
    this.#estimate = { ...this.#estimate, at: this.#time(), error: Number.POSITIVE_INFINITY, rate: 0 }
    this.#residual = 0
  }
}
