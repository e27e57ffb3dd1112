import type { Pump, PumpDone } from './pump.js'
import type { Offloaded, RawStream } from './raw.js'

/** Two streams whose bytes never pass JavaScript: what {@link pump} is for those that do. */
export class JoinedPump implements Pump {
  readonly paused = false
  readonly #carrier: RawStream
  readonly #socket: RawStream
  readonly #moved: Offloaded
  /** Whether the carrier is `b`. */
  readonly #toB: boolean
  readonly #done: PumpDone
  #carrierOpen = true
  #socketOpen = true
  #failure: Error | undefined
  #over = false
  /** Whether the carrier was the first to fail. */
  carrierFailed = false

  /**
   * @param carrier what the socket was joined with
   * @param toB whether bytes of the socket are those that go from `a` to `b`
   */
  constructor(carrier: RawStream, socket: RawStream, moved: Offloaded, toB: boolean, done: PumpDone) {
    this.#carrier = carrier
    this.#socket = socket
    this.#moved = moved
    this.#toB = toB
    this.#done = done
    carrier.onClose = (error) => {
      this.#carrierOpen = false
      if (error !== undefined && this.#failure === undefined) this.carrierFailed = true
      this.#closed(error)
    }
    socket.onClose = (error) => {
      this.#socketOpen = false
      this.#closed(error)
    }
  }

  get aToB(): number {
    return this.#toB ? this.#moved.written : this.#moved.received
  }

  get bToA(): number {
    return this.#toB ? this.#moved.received : this.#moved.written
  }

  #closed(error: Error | undefined): void {
    if (error !== undefined) this.reset(error)
    if (this.#carrierOpen || this.#socketOpen || this.#over) return
    this.#over = true
    this.#done(this.aToB, this.bToA, this.#failure)
  }

  reset(error: Error = new Error('given up')): void {
    this.#failure ??= error
    if (this.#carrierOpen) this.#carrier.reset()
    if (this.#socketOpen) this.#socket.reset()
  }
}
