import type { Clock, Logger } from '@rystra/plugin'

const DAY_MS = 86_400_000

/** Long enough to renew by hand; automatic renewal happens earlier. */
const WARN_BEFORE_MS = 30 * DAY_MS

/** The warning for something that expires at `ends`; `undefined` while that is more than 30 days away. */
export const expiryWarning = (what: string, ends: number, now: number): string | undefined => {
  const left = ends - now
  if (left > WARN_BEFORE_MS) return undefined
  const date = new Date(ends).toISOString().slice(0, 10)
  if (left <= 0) return `${what} has expired on ${date}: renew it`
  const days = Math.floor(left / DAY_MS)
  return `${what} expires ${days === 0 ? 'within a day' : `in ${days} ${days === 1 ? 'day' : 'days'}`}, on ${date}: renew it`
}

/** Warns of approaching expiry: at once, and then daily. */
export class ExpiryWatch {
  #ends = new Map<string, number>()
  #cancel: (() => void) | undefined
  #closed = false

  constructor(
    private readonly log: Logger,
    private readonly clock: Clock
  ) {}

  /** Replaces what is watched: names, and expiry in milliseconds since the epoch. */
  set(ends: Iterable<readonly [string, number]>): void {
    this.#ends = new Map(ends)
    this.#check()
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  #check(): void {
    this.#cancel?.()
    if (this.#closed) return
    const now = this.clock.now()
    for (const [what, end] of this.#ends) {
      const warning = expiryWarning(what, end, now)
      if (warning !== undefined) this.log.warn({ expires: new Date(end).toISOString() }, warning)
    }
    const first = Math.min(
      ...[...this.#ends.values()].map((end) => end - WARN_BEFORE_MS - now).filter((wait) => wait > 0)
    )
    // At most a day: timers are limited to 24 days.
    this.#cancel = this.clock.after(Math.min(DAY_MS, first), () => this.#check())
  }
}
