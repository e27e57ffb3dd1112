import { performance } from 'node:perf_hooks'

/** Lateness from which the process was held up, in ms: packets have piled up in the socket, and a turn of Node reads some 32 of them. */
const HELD_UP_MS = 100
/** Turns in which what piled up is read. */
const HELD_UP_TURNS = 50

/** A timer that is set anew after almost every packet, and touched only when it has to ring earlier than it would. */
export class Alarm {
  readonly #ring: () => void
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires, and when it is wanted to: the latter is the later one. */
  #set = Number.POSITIVE_INFINITY
  #wanted = Number.POSITIVE_INFINITY

  constructor(ring: () => void) {
    this.#ring = ring
  }

  /** Rings in `ms` milliseconds instead of whenever it would have. `null`: never. */
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
    this.#afterReading(late > HELD_UP_MS ? HELD_UP_TURNS : 1)
  }

  /** Timers run before sockets are read. A packet that has come already may say that nothing is overdue. */
  #afterReading(turns: number): void {
    setImmediate(() => {
      if (this.#wanted === Number.POSITIVE_INFINITY) return
      const left = this.#wanted - performance.now()
      if (left > 0.5) {
        if (this.#wanted < this.#set) this.#arm(left)
      } else if (turns > 1) this.#afterReading(turns - 1)
      else {
        this.#wanted = Number.POSITIVE_INFINITY
        this.#ring()
      }
    })
  }
}
