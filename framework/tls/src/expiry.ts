import type { Clock, Logger } from '@rystra/plugin'

const DAY = 86_400_000

/** Enough to renew by hand, also over holidays; who renews by machine does so before. */
const AHEAD = 30 * DAY

/** What a person is to be told of something that ends then; nothing while that is far away. */
export const expiryWarning = (what: string, ends: number, now: number): string | undefined => {
  const left = ends - now
  if (left > AHEAD) return undefined
  const date = new Date(ends).toISOString().slice(0, 10)
  if (left <= 0) return `${what} has expired on ${date}: renew it`
  const days = Math.floor(left / DAY)
  return `${what} expires ${days === 0 ? 'within a day' : `in ${days} ${days === 1 ? 'day' : 'days'}`}, on ${date}: renew it`
}

/** Warns of what ends soon: at once, and daily from then on. */
export class ExpiryWatch {
  #ends = new Map<string, number>()
  #cancel: (() => void) | undefined
  #closed = false

  constructor(
    private readonly log: Logger,
    private readonly clock: Clock
  ) {}

  /** From now on these count, and no others: what it is, and when it ends in milliseconds since the epoch. */
  set(ends: Iterable<readonly [string, number]>): void {
    this.#ends = new Map(ends)
    this.#look()
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  #look(): void {
    this.#cancel?.()
    if (this.#closed) return
    const now = this.clock.now()
    for (const [what, end] of this.#ends) {
      const warning = expiryWarning(what, end, now)
      if (warning !== undefined) this.log.warn({ expires: new Date(end).toISOString() }, warning)
    }
    const first = Math.min(...[...this.#ends.values()].map((end) => end - AHEAD - now).filter((wait) => wait > 0))
    // A day at most: timers know no longer than 24 days.
    this.#cancel = this.clock.after(Math.min(DAY, first), () => this.#look())
  }
}
