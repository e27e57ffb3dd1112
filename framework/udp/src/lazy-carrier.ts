import { type Clock, type Logger, type RystraError, toRystraError } from '@rystra/plugin'
import { Carrier, type CarrierStream, type DatagramEvents } from './carrier.js'
import type { Drop } from './drop-counter.js'

/** Limits of datagrams that wait for the stream; further ones are dropped. */
const MAX_HELD = 1024
const MAX_HELD_BYTES = 1024 * 1024

/** Delay before the stream is opened again; doubles from the first to the last. */
const MIN_DELAY_MS = 100
const MAX_DELAY_MS = 5000

/** Opens the stream. Rejects when `signal` aborts. */
export type OpenCarrier = (signal: AbortSignal) => Promise<CarrierStream>

/** A {@link Carrier} that is opened with the first datagram, and again after it broke. */
export class LazyCarrier {
  #open: OpenCarrier
  readonly #events: DatagramEvents
  readonly #clock: Clock
  readonly #log: Logger
  readonly #closing = new AbortController()
  #carrier: Carrier | undefined
  #opening = false
  /** Of what opens: a stream of one before is not used. */
  #epoch = 0
  #held: { session: number; datagram: Buffer }[] = []
  #heldBytes = 0
  #delay = MIN_DELAY_MS
  #notBefore = Number.NEGATIVE_INFINITY
  /** The error of the last one. */
  error: RystraError | undefined

  constructor(open: OpenCarrier, events: DatagramEvents, clock: Clock, log: Logger) {
    this.#open = open
    this.#events = events
    this.#clock = clock
    this.#log = log
  }

  /** Sends a copy of a datagram, or holds it until the stream is open. Returns the reason of a drop. */
  send(session: number, datagram: Buffer): Drop | undefined {
    if (this.#carrier !== undefined) return this.#carrier.send(session, datagram) ? undefined : 'link'
    if (!this.#opening && !this.#begin()) return 'closed'
    if (this.#held.length >= MAX_HELD || this.#heldBytes + datagram.length > MAX_HELD_BYTES) return 'link'
    this.#held.push({ session, datagram: Buffer.from(datagram) })
    this.#heldBytes += datagram.length
    return undefined
  }

  /** Opens by `open` from now on; `reopens` ends the stream that is open cleanly. */
  use(open: OpenCarrier, reopens: boolean): void {
    this.#open = open
    if (!reopens) return
    this.#epoch += 1
    const carrier = this.#carrier
    this.#carrier = undefined
    this.#notBefore = Number.NEGATIVE_INFINITY
    carrier?.close()
  }

  closeSession(session: number): void {
    this.#carrier?.closeSession(session)
  }

  #begin(): boolean {
    if (this.#closing.signal.aborted || this.#clock.now() < this.#notBefore) return false
    this.#opening = true
    const epoch = this.#epoch
    this.#open(this.#closing.signal).then(
      (stream) => this.#opened(stream, epoch),
      (error: unknown) => this.#failed(toRystraError(error, 'stream.reset'))
    )
    return true
  }

  #opened(stream: CarrierStream, epoch: number): void {
    this.#opening = false
    if (epoch !== this.#epoch) {
      // Opened by what is not to be used any more.
      stream.stream.destroy()
      this.#begin()
      return
    }
    const carrier = new Carrier(stream, {
      onDatagram: (session, datagram) => this.#events.onDatagram(session, datagram),
      onSessionClose: (session) => this.#events.onSessionClose(session),
      onLost: (datagrams) => this.#events.onLost(datagrams),
      onClose: (error) => this.#closed(carrier, error)
    })
    if (this.#closing.signal.aborted) {
      carrier.close()
      return
    }
    this.#carrier = carrier
    this.#delay = MIN_DELAY_MS
    for (const { session, datagram } of this.#takeHeld()) if (!carrier.send(session, datagram)) this.#events.onLost(1)
  }

  #takeHeld(): { session: number; datagram: Buffer }[] {
    this.#heldBytes = 0
    return this.#held.splice(0)
  }

  #loseHeld(): number {
    const lost = this.#takeHeld().length
    if (lost > 0) this.#events.onLost(lost)
    return lost
  }

  #failed(error: RystraError): void {
    this.#opening = false
    const lost = this.#loseHeld()
    this.error = error
    this.#backOff()
    if (!this.#closing.signal.aborted)
      this.#log.warn({ err: error, datagrams: lost }, 'opening the stream for datagrams failed')
  }

  #closed(carrier: Carrier, error: RystraError | undefined): void {
    if (this.#carrier !== carrier) return
    this.#carrier = undefined
    this.error = error
    this.#backOff()
    if (error !== undefined) this.#log.warn({ err: error }, 'the stream for datagrams was lost')
  }

  /** A stream that fails at once must not be reopened for each datagram. */
  #backOff(): void {
    this.#notBefore = this.#clock.now() + this.#delay
    this.#delay = Math.min(2 * this.#delay, MAX_DELAY_MS)
  }

  /** Sends queued datagrams and ends the stream. */
  close(): void {
    const carrier = this.#carrier
    this.#carrier = undefined
    this.#closing.abort()
    this.#loseHeld()
    carrier?.close()
  }
}
