import type { Offloaded, RawStream, Verdict } from './raw.js'
import { Step } from './step.js'

/** Chunks after which bytes leave JavaScript where there is a way: fewer are not worth it. Later tries double it. */
const OFFLOAD_AFTER = 4

/** What a pump tells when both streams are closed. `error` is absent when both closed cleanly. */
export type PumpDone = (aToB: number, bToA: number, error?: Error) => void

/** Two streams that are being joined. */
export interface Pump {
  /** Bytes read from each side so far. */
  readonly aToB: number
  readonly bToA: number
  /** Whether it reads nothing for now although there is something to read and room for it, to keep a pace say. */
  readonly paused: boolean
  /** Resets both streams. */
  reset(error?: Error): void
}

/**
 * Joins two streams until both are closed. Ends travel as ends, resets as resets, and a slow reader slows its writer. No
 * promise, timer or closure is made per chunk.
 */
export const pump = (a: RawStream, b: RawStream, done: PumpDone): Pump => new Joined(a, b, done)

class Joined implements Pump {
  readonly paused = false
  readonly #a: RawStream
  readonly #b: RawStream
  readonly #done: PumpDone
  readonly #there: WatchedStep
  readonly #back: WatchedStep
  #open = 2
  #chunks = 0
  #offloadAt = OFFLOAD_AFTER
  /** A try waits for a write. */
  #waits = false
  #offloaded: Offloaded | undefined
  /** What was offloaded is `b`. */
  #toB = true
  #over = false
  #failure: Error | undefined

  constructor(a: RawStream, b: RawStream, done: PumpDone) {
    this.#a = a
    this.#b = b
    this.#done = done
    this.#there = new WatchedStep(b, this)
    this.#back = new WatchedStep(a, this)
    a.onWritable = () => this.#writable(this.#back, b)
    b.onWritable = () => this.#writable(this.#there, a)
    this.#watch(a)
    this.#watch(b)
    a.read(this.#there)
    b.read(this.#back)
  }

  get aToB(): number {
    return this.#there.bytes + (this.#offloaded?.[this.#toB ? 'written' : 'received'] ?? 0)
  }

  get bToA(): number {
    return this.#back.bytes + (this.#offloaded?.[this.#toB ? 'received' : 'written'] ?? 0)
  }

  #writable(step: WatchedStep, source: RawStream): void {
    step.full = false
    if (!this.#waits) source.resume()
    else
      setImmediate(() => {
        this.#offload()
        if (this.#offloaded === undefined) source.resume()
      })
  }

  /** A chunk has passed. */
  passed(): void {
    this.#chunks += 1
    if (this.#chunks !== this.#offloadAt) return
    this.#offloadAt *= 2
    // Outside of the streams' own calls.
    setImmediate(() => this.#offload())
  }

  #offload(): void {
    this.#waits = false
    if (this.#open < 2 || this.#failure !== undefined || this.#offloaded !== undefined) return
    this.#toB = this.#b.offload !== undefined
    const [carrier, socket] = this.#toB ? [this.#b, this.#a] : [this.#a, this.#b]
    if (carrier.offload === undefined || socket.detach === undefined) return
    this.#waits = this.#there.full || this.#back.full
    if (this.#waits) return
    const detached = socket.detach()
    if (detached === undefined) return
    if (detached.pending.length === 0) this.#offloaded = carrier.offload(detached)
    if (this.#offloaded !== undefined) return
    detached.attach()
    socket.resume()
  }

  #watch(stream: RawStream): void {
    let open = true
    const closed = (error?: Error): void => {
      // A stream may close within its reset: the other one is counted first then.
      if (!open) return
      open = false
      this.#open -= 1
      if (error !== undefined) this.reset(error)
      if (this.#open > 0 || this.#over) return
      this.#over = true
      this.#done(this.aToB, this.bToA, this.#failure)
    }
    stream.onClose = closed
    if (stream.closed) queueMicrotask(() => closed(new Error('closed before it was relayed')))
  }

  reset(error: Error = new Error('given up')): void {
    this.#failure ??= error
    this.#a.reset()
    this.#b.reset()
  }
}

/** Tells its pump of each chunk. */
class WatchedStep extends Step {
  /** A write waits. */
  full = false
  readonly #pump: Joined

  constructor(to: RawStream, pump: Joined) {
    super(to)
    this.#pump = pump
  }

  override onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    const verdict = super.onBytes(buffer, start, end, shared)
    if (verdict === false) this.full = true
    this.#pump.passed()
    return verdict
  }
}
