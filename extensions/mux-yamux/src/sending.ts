import { HEADROOM } from '@rystra/bytes'
import { INITIAL_WINDOW, MAX_U32 } from './frame.js'
import type { FrameSource, Outgoing } from './outgoing.js'

/** Smaller chunks are copied and gathered; larger ones are sent in place. */
const COPY_MAX_BYTES = 8 * 1024

/** Callbacks of the sending side. */
export interface SendingOwner {
  readonly id: number
  /** A write that answered false is complete. */
  writable(): void
  /** All data was sent: the end may follow. */
  drained(): void
}

/** The sending side of a stream: data that exceeds the window of the peer or the capacity of the link. */
export class Sending implements FrameSource {
  /** The queue of {@link Outgoing}. */
  next: FrameSource | undefined
  queued = false

  readonly #owner: SendingOwner
  readonly #out: Outgoing
  #window = INITIAL_WINDOW
  /** The current chunk `#buffer[#start, #end)`, which began at `#origin`. */
  #buffer: Buffer | undefined
  #start = 0
  #end = 0
  #origin = 0
  #more: Buffer[] | undefined
  /** The link still uses lent memory. */
  #inFlight = false
  #waiting = false
  #ended = false

  constructor(owner: SendingOwner, out: Outgoing) {
    this.#owner = owner
    this.#out = out
  }

  get id(): number {
    return this.#owner.id
  }

  /** Whether there is data that may be sent. */
  get ready(): boolean {
    return this.#buffer !== undefined && this.#window > 0
  }

  /** Bytes that the peer accepts. */
  get window(): number {
    return this.#window
  }

  /** Nothing waits, and more may be written. */
  get idle(): boolean {
    return !this.#busy && !this.#waiting && !this.#ended
  }

  /** Bytes that wait for window or for the link. */
  get waiting(): number {
    const more = this.#more?.reduce((sum, { length }) => sum + length, 0) ?? 0
    return this.#buffer === undefined ? more : more + this.#end - this.#start
  }

  /** No more is written. */
  get ended(): boolean {
    return this.#ended
  }

  get #busy(): boolean {
    return this.#buffer !== undefined || this.#inFlight
  }

  /** See `RawStream.write`. */
  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    if (this.#ended) return true
    let at = start
    if (!this.#busy) {
      if (this.#out.free) at = this.#send(buffer, start, end, start, shared, this.#out.maxFrame)
      if (at === end && !this.#inFlight) return true
    }
    this.#waiting = true
    if (at < end) this.#hold(buffer, at, end, start, shared)
    return false
  }

  #hold(buffer: Buffer, start: number, end: number, origin: number, shared: boolean): void {
    if (this.#buffer !== undefined) {
      this.#more ??= []
      this.#more.push(shared ? Buffer.from(buffer.subarray(start, end)) : buffer.subarray(start, end))
      return
    }
    if (shared) {
      this.#buffer = Buffer.allocUnsafe(HEADROOM + end - start)
      buffer.copy(this.#buffer, HEADROOM, start, end)
      this.#start = HEADROOM
      this.#origin = HEADROOM
      this.#end = HEADROOM + end - start
    } else {
      this.#buffer = buffer
      this.#start = start
      this.#origin = origin
      this.#end = end
    }
    if (this.#window > 0) this.#out.enqueue(this)
  }

  /** The peer has granted `bytes` more. */
  grant(bytes: number): void {
    this.#window = Math.min(MAX_U32, this.#window + bytes)
    if (this.ready) this.#out.enqueue(this)
  }

  /** Ends the direction. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    if (!this.#busy) this.#owner.drained()
  }

  /** Drops unsent data. */
  clear(): void {
    this.#ended = true
    this.#buffer = undefined
    this.#more = undefined
  }

  /** Sends up to `limit` bytes in this stream's turn. */
  serve(limit: number): void {
    if (this.#buffer === undefined) return
    this.#start = this.#send(this.#buffer, this.#start, this.#end, this.#origin, false, limit)
    if (this.#start < this.#end) return
    this.#buffer = this.#more?.shift()
    if (this.#buffer !== undefined) {
      this.#start = 0
      this.#origin = 0
      this.#end = this.#buffer.length
    } else if (!this.#inFlight) this.#flushed()
  }

  /** The link has released lent memory. */
  written(): void {
    this.#inFlight = false
    if (!this.#busy) this.#flushed()
  }

  #flushed(): void {
    if (this.#ended) this.#owner.drained()
    if (!this.#waiting) return
    this.#waiting = false
    this.#owner.writable()
  }

  /** Sends as much of `buffer[start, end)` as allowed. Returns where the rest begins. */
  #send(buffer: Buffer, start: number, end: number, origin: number, shared: boolean, limit: number): number {
    const stop = Math.min(end, start + Math.min(limit, this.#window))
    const gathered = this.#out.gathers(limit)
    let at = start
    while (at < stop && !this.#out.blocked) {
      let bytes = stop - at
      if (!shared && bytes > COPY_MAX_BYTES && origin >= HEADROOM && !gathered) {
        if (!this.#out.inPlace(this, buffer, at, stop, at > origin)) break
        this.#inFlight = this.#out.blocked
      } else bytes = this.#out.copy(this.#owner.id, buffer, at, stop)
      if (bytes === 0) break
      this.#window -= bytes
      at += bytes
    }
    return at
  }
}
