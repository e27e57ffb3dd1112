import { performance } from 'node:perf_hooks'
import { Flag, Type } from './frame.js'
import type { Outgoing } from './outgoing.js'

/**
 * Round trips are never taken for less, in milliseconds: a turn of the event loop at either end is longer than the wire
 * on loopback, and windows have to grow there too.
 */
const FLOOR = 1

/** A round trip is measured again when it is older than this, in milliseconds, and somebody wants to know. */
const STALE = 2000

/** Measures the round trip, and notices when the other side is gone. */
export class Pulse {
  readonly #out: Outgoing
  readonly #interval: number
  readonly #timeout: number
  readonly #dead: (why: string) => void
  #timer: NodeJS.Timeout | undefined
  #asking = false
  #heard = false
  #pending: number | undefined
  #next = 0
  #sentAt = 0
  #measuredAt = 0
  /** Milliseconds; 0 when there was no answer yet. */
  #roundTrip = 0

  constructor(out: Outgoing, interval: number, timeout: number, dead: (why: string) => void) {
    this.#out = out
    this.#interval = interval
    this.#timeout = timeout
    this.#dead = dead
  }

  start(): void {
    this.ping()
    if (this.#interval > 0) this.#wait(this.#interval)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** Bytes came, whatever they were. */
  hear(): void {
    this.#heard = true
  }

  /** Milliseconds, at least {@link FLOOR}. */
  get roundTrip(): number {
    return Math.max(FLOOR, this.#roundTrip)
  }

  /** Measures again if that was long ago. */
  refresh(now: number): void {
    if (this.#pending === undefined && now - this.#measuredAt > STALE) this.ping()
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
    const sample = this.#measuredAt - this.#sentAt
    // Near the smallest: bytes in queues make a round trip long, and windows must not grow because of queues.
    if (this.#roundTrip === 0 || sample < this.#roundTrip) this.#roundTrip = sample
    else this.#roundTrip += (sample - this.#roundTrip) / 16
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#look, ms).unref()
  }

  readonly #look = (): void => {
    if (this.#out.blockedFor() > this.#interval + this.#timeout) {
      this.#dead('it does not read')
    } else if (this.#heard) {
      this.#heard = false
      this.#asking = false
      this.#wait(this.#interval)
    } else if (this.#asking) {
      this.#dead('it does not answer')
    } else {
      this.#asking = true
      this.ping()
      this.#wait(this.#timeout)
    }
  }
}
