import { HEADROOM, SLAB_SIZE } from '@rystra/bytes'
import { HEADER, INITIAL_WINDOW, MAX_U32 } from './frame.js'
import type { Outgoing } from './outgoing.js'

/** Chunks up to this many bytes are copied and gathered with others; larger ones are sent from where they are. */
const SMALL = 8 * 1024

/** The largest data frame, in bytes, see `Outgoing`. */
const LARGEST_FRAME = SLAB_SIZE

/** What a stream's sender tells the stream. */
export interface SendingOwner {
  readonly id: number
  /** A write that answered false is through. */
  writable(): void
  /** Everything was sent; now the end may be. */
  drained(): void
}

/** The sending half of a stream: what was written and does not fit the other side's window, or the link, yet. */
export class Sending {
  /** The queue of {@link Outgoing}. */
  next: Sending | undefined
  queued = false

  readonly #owner: SendingOwner
  readonly #out: Outgoing
  #window = INITIAL_WINDOW
  /** The chunk that is being sent: `#buffer[#start, #end)`, of which the first byte was at `#origin`. */
  #buffer: Buffer | undefined
  #start = 0
  #end = 0
  #origin = 0
  #more: Buffer[] | undefined
  /** The link still uses memory that was lent to us. */
  #flying = false
  #waiting = false
  #ended = false

  constructor(owner: SendingOwner, out: Outgoing) {
    this.#owner = owner
    this.#out = out
  }

  get id(): number {
    return this.#owner.id
  }

  /** Whether there is something to send that may be sent. */
  get ready(): boolean {
    return this.#buffer !== undefined && this.#window > 0
  }

  get #busy(): boolean {
    return this.#buffer !== undefined || this.#flying
  }

  /** See `RawStream.write`. */
  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    if (this.#ended) return true
    let at = start
    if (!this.#busy) {
      if (this.#out.free) at = this.#send(buffer, start, end, start, shared, LARGEST_FRAME)
      if (at === end && !this.#flying) return true
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

  /** The other side may get `bytes` more. */
  grant(bytes: number): void {
    this.#window = Math.min(MAX_U32, this.#window + bytes)
    if (this.ready) this.#out.enqueue(this)
  }

  /** Nothing more will be written. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    if (!this.#busy) this.#owner.drained()
  }

  /** Forgets what was not sent. */
  clear(): void {
    this.#ended = true
    this.#buffer = undefined
    this.#more = undefined
  }

  /** It is this stream's turn to send up to `limit` bytes. */
  serve(limit: number): void {
    if (this.#buffer === undefined) return
    this.#start = this.#send(this.#buffer, this.#start, this.#end, this.#origin, false, limit)
    if (this.#start < this.#end) return
    this.#buffer = this.#more?.shift()
    if (this.#buffer !== undefined) {
      this.#start = 0
      this.#origin = 0
      this.#end = this.#buffer.length
    } else if (!this.#flying) this.#through()
  }

  /** The link is done with memory that was lent to us. */
  landed(): void {
    this.#flying = false
    if (!this.#busy) this.#through()
  }

  #through(): void {
    if (this.#ended) this.#owner.drained()
    if (!this.#waiting) return
    this.#waiting = false
    this.#owner.writable()
  }

  /** Sends what may be sent of `buffer[start, end)`. Returns where the rest begins. */
  #send(buffer: Buffer, start: number, end: number, origin: number, shared: boolean, limit: number): number {
    const stop = Math.min(end, start + Math.min(limit, this.#window))
    let at = start
    while (at < stop && !this.#out.blocked) {
      let bytes = stop - at
      if (!shared && bytes > SMALL && at >= HEADER && origin >= HEADER) {
        if (!this.#out.inPlace(this, buffer, at, stop, at > origin)) break
        this.#flying = this.#out.blocked
      } else bytes = this.#out.copy(this.#owner.id, buffer, at, stop)
      if (bytes === 0) break
      this.#window -= bytes
      at += bytes
    }
    return at
  }
}
