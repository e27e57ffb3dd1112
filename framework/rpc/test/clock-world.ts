import { DriftingClock, FakeClock, type LineOptions, SimulatedLine } from '@rystra/testkit'
import { type PongTimes, SessionClock } from '../src/clock/session-clock.js'

/** Two ends with clocks of their own over a simulated line. */
export interface ClockWorldOptions {
  readonly seed?: number
  readonly to?: LineOptions
  readonly from?: LineOptions
  /** The peer's clock against the own one, in milliseconds and millionths. */
  readonly offset?: number
  readonly ppm?: number
  /** What the peer answers with, changed. */
  readonly answer?: (times: PongTimes) => PongTimes
}

/** Runs the schedule of a {@link SessionClock} against a peer, and knows the true offset. */
export class ClockWorld {
  readonly time = new FakeClock()
  readonly own = new DriftingClock(this.time)
  readonly peer: DriftingClock
  readonly clock = new SessionClock({ time: () => this.own.now() })
  readonly outcomes: Record<string, number> = {}
  pings = 0
  readonly #to: SimulatedLine
  readonly #from: SimulatedLine
  readonly #answer: (times: PongTimes) => PongTimes

  constructor({ seed = 1, to = {}, from = to, offset = 250, ppm = 0, answer = (times) => times }: ClockWorldOptions) {
    this.peer = new DriftingClock(this.time, { offset, ppm })
    this.#to = new SimulatedLine(this.time, seed, to)
    this.#from = new SimulatedLine(this.time, seed + 1_000_003, from)
    this.#answer = answer
  }

  /** Sends Pings when they are due for `ms` milliseconds; `each` is called every `step` of them. */
  run(ms: number, each?: () => void, step = 50): void {
    const until = this.time.now() + ms
    let sample = this.time.now() + step
    while (this.time.now() < until) {
      if (this.clock.dueIn <= 0) this.#ping()
      const next = Math.min(until, this.time.now() + Math.max(this.clock.dueIn, 0.01), sample)
      this.time.advance(next - this.time.now())
      if (this.time.now() < sample) continue
      sample += step
      each?.()
    }
  }

  /** How far the offset is off, in milliseconds. */
  get wrong(): number {
    return Math.abs(this.clock.offset - (this.peer.now() - this.own.now()))
  }

  #ping(): void {
    this.pings++
    const t0 = this.clock.ping()
    this.#to.send(() => {
      const now = this.peer.now()
      const times = this.#answer({ t0, t1: now, t2: now })
      this.#from.send(() => {
        const outcome = this.clock.pong(times)
        this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1
      })
    })
  }
}

/** The value below which a part of all are. */
export const quantile = (values: readonly number[], part: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
}
