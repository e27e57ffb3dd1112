import { type Clock, type Logger, type RystraError, toRystraError } from '@rystra/plugin'
import { Carrier, type Carries } from './carrier.js'
import type { FrameEvents } from './frames.js'
import type { Drop } from './tally.js'

/** What waits for the stream to be there, in datagrams and in bytes; what comes then is dropped. */
const HELD = 1024
const HELD_BYTES = 1024 * 1024

/** Milliseconds before another try to open it; doubles from the first to the last. */
const FIRST_DELAY = 100
const LAST_DELAY = 5000

/** Opens the stream. Gives up with `signal`. */
export type OpenCarrier = (signal: AbortSignal) => Promise<Carries>

/** A {@link Carrier} that is opened with the first datagram, and again after it broke. */
export class LazyCarrier {
  readonly #open: OpenCarrier
  readonly #events: FrameEvents
  readonly #clock: Clock
  readonly #log: Logger
  readonly #gone = new AbortController()
  #carrier: Carrier | undefined
  #opening = false
  #held: { session: number; datagram: Buffer }[] = []
  #heldBytes = 0
  #delay = FIRST_DELAY
  #notBefore = Number.NEGATIVE_INFINITY
  /** Why the last one is gone. */
  error: RystraError | undefined

  constructor(open: OpenCarrier, events: FrameEvents, clock: Clock, log: Logger) {
    this.#open = open
    this.#events = events
    this.#clock = clock
    this.#log = log
  }

  /** Sends, or keeps until it can. Answers with why not. */
  send(session: number, datagram: Buffer): Drop | undefined {
    if (this.#carrier !== undefined) return this.#carrier.send(session, datagram) ? undefined : 'slow'
    if (!this.#opening && !this.#begin()) return 'closed'
    if (this.#held.length >= HELD || this.#heldBytes + datagram.length > HELD_BYTES) return 'slow'
    this.#held.push({ session, datagram })
    this.#heldBytes += datagram.length
    return undefined
  }

  closeSession(session: number): void {
    this.#carrier?.closeSession(session)
  }

  #begin(): boolean {
    if (this.#gone.signal.aborted || this.#clock.now() < this.#notBefore) return false
    this.#opening = true
    this.#open(this.#gone.signal).then(
      (carries) => this.#opened(carries),
      (error: unknown) => this.#failed(toRystraError(error, 'stream.reset'))
    )
    return true
  }

  #opened(carries: Carries): void {
    this.#opening = false
    const carrier = new Carrier(carries, {
      onDatagram: (session, datagram) => this.#events.onDatagram(session, datagram),
      onSessionClose: (session) => this.#events.onSessionClose(session),
      onClose: (error) => this.#closed(carrier, error)
    })
    if (this.#gone.signal.aborted) {
      carrier.close()
      return
    }
    this.#carrier = carrier
    this.#delay = FIRST_DELAY
    for (const { session, datagram } of this.#takeHeld()) carrier.send(session, datagram)
  }

  #takeHeld(): { session: number; datagram: Buffer }[] {
    this.#heldBytes = 0
    return this.#held.splice(0)
  }

  #failed(error: RystraError): void {
    this.#opening = false
    const lost = this.#takeHeld().length
    this.error = error
    this.#wait()
    if (!this.#gone.signal.aborted)
      this.#log.warn({ err: error, datagrams: lost }, 'the stream for datagrams was not opened')
  }

  #closed(carrier: Carrier, error: RystraError | undefined): void {
    if (this.#carrier !== carrier) return
    this.#carrier = undefined
    this.error = error
    this.#wait()
    if (error !== undefined) this.#log.warn({ err: error }, 'the stream for datagrams broke')
  }

  /** One that breaks as soon as it is there must not be opened as fast as datagrams come. */
  #wait(): void {
    this.#notBefore = this.#clock.now() + this.#delay
    this.#delay = Math.min(2 * this.#delay, LAST_DELAY)
  }

  /** Sends what waits, and ends. */
  close(): void {
    const carrier = this.#carrier
    this.#carrier = undefined
    this.#gone.abort()
    this.#takeHeld()
    carrier?.close()
  }
}
