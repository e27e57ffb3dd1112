import type { Clock, Logger } from '@rystra/plugin'
import type { X509Certificate } from 'node:crypto'

const DAY_MS = 86_400_000

/** Long enough to renew by hand; automatic renewal happens earlier. */
const WARN_BEFORE_MS = 30 * DAY_MS

const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 10)

/** Milliseconds since the epoch. */
export interface Validity {
  readonly begins: number
  readonly ends: number
}

/** Of a certificate. */
export const validityOf = ({ validFrom, validTo }: X509Certificate): Validity => ({
  begins: Date.parse(validFrom),
  ends: Date.parse(validTo)
})

/** The warning for something that is not valid yet, or expires within 30 days; `undefined` otherwise. */
export const expiryWarning = (what: string, { begins, ends }: Validity, now: number): string | undefined => {
  if (begins > now) return `${what} is not valid before ${dateOf(begins)}: check the clock of this machine`
  const left = ends - now
  if (left > WARN_BEFORE_MS) return undefined
  const date = dateOf(ends)
  if (left <= 0) return `${what} has expired on ${date}: renew it`
  const days = Math.floor(left / DAY_MS)
  return `${what} expires ${days === 0 ? 'within a day' : `in ${days} ${days === 1 ? 'day' : 'days'}`}, on ${date}: renew it`
}

/** Warns of approaching expiry: at once, and then daily. */
export class ExpiryWatch {
  #watched = new Map<string, Validity>()
  #cancel: (() => void) | undefined
  #closed = false

  constructor(
    private readonly log: Logger,
    private readonly clock: Clock
  ) {}

  /** Replaces what is watched, by name. */
  set(watched: Iterable<readonly [string, Validity]>): void {
    this.#watched = new Map(watched)
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
    for (const [what, validity] of this.#watched) {
      const warning = expiryWarning(what, validity, now)
      if (warning !== undefined) this.log.warn({ expires: new Date(validity.ends).toISOString() }, warning)
    }
    const first = Math.min(
      ...[...this.#watched.values()].map(({ ends }) => ends - WARN_BEFORE_MS - now).filter((wait) => wait > 0)
    )
    // At most a day: timers are limited to 24 days.
    this.#cancel = this.clock.after(Math.min(DAY_MS, first), () => this.#check())
  }
}
