import type { Clock } from '@rystra/plugin'
import { isDeepStrictEqual } from 'node:util'

/** How often to ask, and how long to wait. */
export interface HeartbeatOptions {
  /** Milliseconds between two heartbeats. */
  readonly interval: number
  /** Milliseconds without anything from the other side after which it counts as dead. */
  readonly timeout: number
}

/** How long the other side has to answer a process that was held up for longer than the timeout. */
const HELD_UP_TIMEOUT_MS = 5000

/** Asks the other side whether it is there, and measures how long the answer takes. */
export class Heartbeat {
  /** Round trip of the last answer, in milliseconds; absent before the first. */
  rtt: number | undefined
  #options: HeartbeatOptions
  readonly #clock: Clock
  readonly #send: (seq: number, time: number) => void
  readonly #dead: () => void
  #probes: Set<(alive: boolean) => void> | undefined
  #seq = 0
  #heard: number
  #cancel: (() => void) | undefined
  /** When the next beat is due. */
  #due = 0
  #stopped = false

  constructor(options: HeartbeatOptions, clock: Clock, send: (seq: number, time: number) => void, dead: () => void) {
    this.#options = options
    this.#clock = clock
    this.#send = send
    this.#dead = dead
    this.#heard = clock.now()
  }

  start(): void {
    this.#heard = this.#due = this.#clock.now()
    this.#beat()
  }

  /** Other options from now on. */
  use(options: HeartbeatOptions): void {
    if (isDeepStrictEqual(options, this.#options)) return
    this.#options = options
    if (this.#cancel === undefined) return
    this.#cancel()
    this.#beat()
  }

  /** Pending probes are answered with `false`. */
  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = undefined
    this.#settle(false)
  }

  /** Anything came from the other side: it lives. */
  heard(): void {
    this.#heard = this.#clock.now()
    if (this.#probes !== undefined) this.#settle(true)
  }

  #settle(alive: boolean): void {
    const probes = [...(this.#probes ?? [])]
    this.#probes = undefined
    for (const probe of probes) probe(alive)
  }

  /** The answer to a heartbeat that was sent at `time`. */
  answered(time: number): void {
    const rtt = this.#clock.now() - time
    if (rtt >= 0 && rtt <= this.#options.timeout) this.rtt = rtt
  }

  /** Asks at once. Resolves to whether anything came within `ms` milliseconds. */
  probe(ms: number): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false)
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, () => {
        this.#probes?.delete(settle)
        resolve(false)
      })
      const settle = (alive: boolean): void => {
        cancel()
        resolve(alive)
      }
      this.#probes ??= new Set()
      this.#probes.add(settle)
      this.#ask()
    })
  }

  #ask(): void {
    this.#seq = (this.#seq + 1) % 2 ** 32
    this.#send(this.#seq, this.#clock.now())
  }

  #beat(): void {
    const { timeout } = this.#options
    const now = this.#clock.now()
    let silent = now - this.#heard
    if (silent >= timeout) {
      // A process that was held up or suspended has not read what came meanwhile: it asks once more.
      const late = now - this.#due
      if (silent - late >= timeout) {
        this.#dead()
        return
      }
      silent = Math.max(0, timeout - HELD_UP_TIMEOUT_MS)
      this.#heard = now - silent
    }
    this.#ask()
    // To send may have ended it.
    if (this.#stopped) return
    // The last wait is cut so that the end of the time-out is noticed when it comes, not one interval later.
    const wait = Math.min(this.#options.interval, Math.max(1, timeout - silent))
    this.#due = this.#clock.now() + wait
    this.#cancel = this.#clock.after(wait, () => this.#beat())
  }
}
