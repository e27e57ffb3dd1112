import { type PongTimes, SessionClock } from '../clock/session-clock.js'

/** Keeps the clock of a session: from its first use on, sends Pings when they are due. */
export class ClockPings {
  readonly #send: (time: () => number) => void
  #clock: SessionClock | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  /** @param send sends a Ping with the time it asks for, if there is a connection */
  constructor(send: (time: () => number) => void) {
    this.#send = send
  }

  get clock(): SessionClock {
    if (this.#clock === undefined) {
      this.#clock = new SessionClock()
      this.#ping(this.#clock)
    }
    return this.#clock
  }

  #ping(clock: SessionClock): void {
    if (this.#stopped) return
    if (clock.dueIn <= 0) this.#send(() => clock.ping())
    this.#timer = setTimeout(() => this.#ping(clock), Math.max(1, clock.dueIn))
    this.#timer.unref()
  }

  pong(times: PongTimes): void {
    this.#clock?.pong(times)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}
