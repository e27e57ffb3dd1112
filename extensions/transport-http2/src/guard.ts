import type { Http2Session } from 'node:http2'
import type { Clock } from '@rystra/plugin'

/** Pings, settings and refused requests that a peer may send at once. */
const BURST = 1000

/** And per second after that. Proxies ping a few times; a Rystra client sends none of them. */
const RATE = 100

/** Counts the frames of one connection that cost work without effect. */
export class Guard {
  readonly #clock: Clock
  readonly #exceeded: (what: string) => void
  #left = BURST
  #since: number

  /** @param exceeded called each time that it is too much */
  constructor(session: Http2Session, clock: Clock, exceeded: (what: string) => void) {
    this.#clock = clock
    this.#exceeded = exceeded
    this.#since = clock.now()
    session.on('ping', () => this.count('pings'))
    session.on('remoteSettings', () => this.count('settings'))
  }

  count(what: string): void {
    const now = this.#clock.now()
    this.#left = Math.min(BURST, this.#left + (Math.max(0, now - this.#since) / 1000) * RATE)
    this.#since = now
    this.#left -= 1
    if (this.#left < 0) this.#exceeded(what)
  }
}
