import { TokenBucket } from '@rystra/limits'
import type { Clock, Direction, Pacer } from '@rystra/plugin'

/** When the share of a stream has paid for what it has had so far. */
interface Share {
  until: number
}

/** Milliseconds after which it is counted anew who is active. */
const COUNT_INTERVAL_MS = 5

/**
 * One direction of what the streams of a proxy may have together. Each waits for its own share of what it has had, not for
 * what others have had, so that a stream that sends little waits little. The excess of all streams, which arises since the
 * next sender is not known, stays below a burst for each.
 */
class Lane {
  #rate: number
  #burst: number
  readonly #bucket: TokenBucket
  readonly #active = new Set<Share>()
  #counted = 0

  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate
    this.#burst = burst
    this.#bucket = new TokenBucket(rate, burst, now)
  }

  /** What streams have had is paid for at the new rate. */
  set(rate: number, burst: number, now: number): void {
    for (const share of this.#active) share.until = now + ((share.until - now) * this.#rate) / rate
    this.#bucket.set(rate, burst, now)
    this.#rate = rate
    this.#burst = burst
  }

  spend(share: Share, bytes: number, now: number): number {
    const debt = this.#bucket.spend(bytes, now)
    if (debt === 0) return 0
    if (now - this.#counted >= COUNT_INTERVAL_MS) {
      this.#counted = now
      for (const one of this.#active) if (one.until <= now) this.#active.delete(one)
    }
    this.#active.add(share)
    share.until = Math.max(share.until, now) + (bytes * this.#active.size * 1000) / this.#rate
    // Each may be a chunk ahead, and a chunk is no larger than the burst.
    const usual = ((this.#active.size + 1) * this.#burst * 1000) / this.#rate
    return Math.ceil(Math.max(share.until - now, debt - usual))
  }
}

/** What may pass at once: a quarter of a second, or 64 KiB. */
const burstOf = (bandwidth: number): number => Math.max(64 * 1024, bandwidth / 4)

/** Keeps the streams of a proxy below a bandwidth together, each way. */
export class FairPace {
  readonly #clock: Clock
  readonly #lanes: Readonly<Record<Direction, Lane>>
  #bandwidth: number

  /** @param bandwidth bytes a second; a quarter of a second, or 64 KiB, at once */
  constructor(bandwidth: number, clock: Clock) {
    this.#clock = clock
    this.#bandwidth = bandwidth
    const lane = (): Lane => new Lane(bandwidth, burstOf(bandwidth), clock.now())
    this.#lanes = { toService: lane(), toVisitor: lane() }
  }

  /** Open streams have their share of it from now on. */
  setBandwidth(bandwidth: number): void {
    if (bandwidth === this.#bandwidth) return
    this.#bandwidth = bandwidth
    const now = this.#clock.now()
    for (const lane of Object.values(this.#lanes)) lane.set(bandwidth, burstOf(bandwidth), now)
  }

  /** For one stream. */
  pacer(): Pacer {
    const shares: Record<Direction, Share> = { toService: { until: 0 }, toVisitor: { until: 0 } }
    return (bytes, direction) => this.#lanes[direction].spend(shares[direction], bytes, this.#clock.now())
  }
}
