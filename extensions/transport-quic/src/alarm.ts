import { performance } from 'node:perf_hooks'

/** Delay of a timer from which the process was stalled: packets have piled up in the socket, and a turn of Node reads some 32. */
const STALLED_MS = 100
/** Turns in which the piled-up packets are read. */
const STALLED_TURNS = 50

/** A timer that is reset after almost every packet, and rearmed only to fire earlier. */
export class Alarm {
  readonly #fire: () => void
  #timer: NodeJS.Timeout | undefined
  /** Time of the armed timer, and the wanted time, which is not earlier. */
  #set = Number.POSITIVE_INFINITY
  #wanted = Number.POSITIVE_INFINITY

  constructor(fire: () => void) {
    this.#fire = fire
  }

  /** Fires in `ms` milliseconds. `null`: never. */
  in(ms: number | null): void {
    if (ms === null) {
      this.#wanted = Number.POSITIVE_INFINITY
      return
    }
    this.#wanted = performance.now() + ms
    if (this.#wanted < this.#set) this.#arm(ms)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#set = this.#wanted = Number.POSITIVE_INFINITY
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer)
    this.#set = performance.now() + ms
    this.#timer = setTimeout(this.#fired, Math.max(1, Math.ceil(ms))).unref()
  }

  readonly #fired = (): void => {
    this.#timer = undefined
    this.#set = Number.POSITIVE_INFINITY
    const late = performance.now() - this.#wanted
    this.#afterReading(late > STALLED_MS ? STALLED_TURNS : 1)
  }

  /** Timers run before sockets are read: a packet that has arrived may show that nothing is overdue. */
  #afterReading(turns: number): void {
    setImmediate(() => {
      if (this.#wanted === Number.POSITIVE_INFINITY) return
      const left = this.#wanted - performance.now()
      if (left > 0.5) {
        if (this.#wanted < this.#set) this.#arm(left)
      } else if (turns > 1) this.#afterReading(turns - 1)
      else {
        this.#wanted = Number.POSITIVE_INFINITY
        this.#fire()
      }
    })
  }
}
