import type { Clock } from '@rystra/plugin'

/** How often to ask, and how long to wait. */
export interface HeartbeatOptions {
  /** Milliseconds between two heartbeats. */
  readonly interval: number
  /** Milliseconds without anything from the other side after which it counts as dead. */
  readonly timeout: number
}

/** Asks the other side whether it is there, and measures how long the answer takes. */
export class Heartbeat {
  /** Round trip of the last answer, in milliseconds; absent before the first. */
  rtt: number | undefined
  readonly #options: HeartbeatOptions
  readonly #clock: Clock
  readonly #send: (seq: number, time: number) => void
  readonly #dead: () => void
  readonly #probes = new Set<() => void>()
  #seq = 0
  #heard: number
  #cancel: (() => void) | undefined

  constructor(
    options: HeartbeatOptions,
    clock: Clock,
    send: (seq: number, time: number) => void,
    dead: () => void
  ) {
    this.#options = options
    this.#clock = clock
    this.#send = send
    this.#dead = dead
    this.#heard = clock.now()
  }

  start(): void {
    this.#heard = this.#clock.now()
    this.#beat()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** Anything came from the other side: it lives. */
  heard(): void {
    this.#heard = this.#clock.now()
    if (this.#probes.size === 0) return
    for (const probe of this.#probes) probe()
    this.#probes.clear()
  }

  /** The answer to a heartbeat that was sent at `time`. */
  answered(time: number): void {
    const rtt = this.#clock.now() - time
    if (rtt >= 0 && rtt <= this.#options.timeout) this.rtt = rtt
  }

  /** Asks at once. Resolves to whether anything came within `ms` milliseconds. */
  probe(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, () => {
        this.#probes.delete(alive)
        resolve(false)
      })
      const alive = (): void => {
        cancel()
        resolve(true)
      }
      this.#probes.add(alive)
      this.#ask()
    })
  }

  #ask(): void {
    this.#seq = (this.#seq + 1) % 2 ** 32
    this.#send(this.#seq, this.#clock.now())
  }

  #beat(): void {
    const silent = this.#clock.now() - this.#heard
    if (silent >= this.#options.timeout) {
      this.#dead()
      return
    }
    this.#ask()
    // The last wait is cut so that the end of the time-out is noticed when it comes, not one interval later.
    const wait = Math.min(this.#options.interval, Math.max(1, this.#options.timeout - silent))
    this.#cancel = this.#clock.after(wait, () => this.#beat())
  }
}
