import { HEADROOM, SLAB_SIZE } from '@rystra/bytes'
import { performance } from 'node:perf_hooks'
import { HEADER, putHeader, Type } from './frame.js'
import type { LinkRate } from './link-rate.js'
import type { Link } from './native-link.js'

/** The sending side of a stream as {@link Outgoing} serves it. */
export interface FrameSource {
  readonly id: number
  /** Whether there is data that may be sent. */
  readonly ready: boolean
  /** The queue of {@link Outgoing}. */
  next: FrameSource | undefined
  queued: boolean
  /** Sends up to `limit` bytes. */
  serve(limit: number): void
  /** The link has released lent memory. */
  written(): void
}

/** Bytes gathered for one write: a read of a quiet socket and some headers. */
const GATHER_BYTES = 68 * 1024

/** Largest data frame, one slab: a stream that has the link to itself sends its data in one write. */
const MAX_FRAME_BYTES = SLAB_SIZE

/** Spare gather buffers: a session has one only while it has data to send. */
const spare: Buffer[] = []
const MAX_SPARE = 16

/**
 * Writes the frames of a session to its link.
 *
 * Small frames of all streams are gathered and written once per turn of the event loop; large ones are written in
 * place, their header in front of them. While the link is blocked, frames without payload wait in a bounded queue here,
 * and payload waits in its streams, which are then served in turn.
 */
export class Outgoing {
  /** The link accepts no more data at the moment. */
  blocked = false

  readonly #link: Link
  readonly #frameSize: number
  readonly #rate: LinkRate
  readonly #controlLimit: number
  readonly #overrun: () => void
  #gather: Buffer | undefined
  #used = 0
  #scheduled = false
  #serving = false
  #closed = false
  #finishing = false
  /** The buffer that the link is writing while it is blocked. */
  #inFlight: Buffer | undefined
  #sender: FrameSource | undefined
  /** Frames without payload that wait for the link. */
  #control: Buffer | undefined
  #controlUsed = 0
  /** Bytes overwritten by headers during a write, and their position. */
  #saved: Uint8Array | undefined
  #savedIn: Buffer | undefined
  #savedAt = 0
  /** Streams with data and window. */
  #first: FrameSource | undefined
  #last: FrameSource | undefined

  /**
   * @param controlLimit maximum of waiting frames without payload
   * @param overrun called when it is exceeded: the peer causes answers and does not read them
   */
  constructor(link: Link, frameSize: number, rate: LinkRate, controlLimit: number, overrun: () => void) {
    this.#link = link
    this.#frameSize = frameSize
    this.#rate = rate
    this.#controlLimit = controlLimit * HEADER
    this.#overrun = overrun
    link.onWritable = () => this.#unblocked()
  }

  /** Bytes that wait here for the link. */
  get queued(): number {
    return (this.#gather === undefined ? 0 : this.#used) + this.#controlUsed
  }

  /** Whether a stream may send at once. */
  get free(): boolean {
    return !this.blocked && this.#first === undefined && !this.#serving && !this.#closed
  }

  /** Bytes of a stream that has the link to itself. */
  get maxFrame(): number {
    return this.#rate.frame(MAX_FRAME_BYTES)
  }

  /** Whether frames of so many bytes are gathered: those of streams that take turns on a slow link. */
  gathers(limit: number): boolean {
    return limit < this.#frameSize - HEADER
  }

  get #share(): number {
    return this.#rate.share(this.#frameSize - HEADER)
  }

  /** Sends what was gathered. Whether nothing waits here. */
  settle(): boolean {
    this.#flush()
    return !this.blocked && !this.#closed
  }

  /** Milliseconds since the link last accepted data; 0 when it accepts. */
  blockedFor(): number {
    return this.blocked ? performance.now() - this.#rate.blockedAt : 0
  }

  /** Sends a frame without payload in order. */
  frame(type: number, flags: number, id: number, length: number): void {
    if (this.#closed) return
    const gather = this.#room(HEADER)
    if (gather === undefined) this.#queue(type, flags, id, length)
    else {
      putHeader(gather, this.#used, type, flags, id, length)
      this.#used += HEADER
    }
  }

  /** Copies bytes into a data frame. Returns their number, 0 when blocked. */
  copy(id: number, buffer: Buffer, start: number, end: number): number {
    if (this.#closed) return 0
    const gather = this.#room(HEADER + Math.min(end - start, GATHER_BYTES - HEADER))
    if (gather === undefined) return 0
    const bytes = Math.min(end - start, gather.length - this.#used - HEADER)
    putHeader(gather, this.#used, Type.data, 0, id, bytes)
    buffer.copy(gather, this.#used + HEADER, start, start + bytes)
    this.#used += HEADER + bytes
    return bytes
  }

  /**
   * Sends lent bytes as a data frame with its header, and that of the link, in the `HEADROOM` bytes in front of them,
   * which `restore` preserves. Returns false when blocked. If the link is blocked afterwards, the bytes are in use until
   * `written`.
   */
  inPlace(sender: FrameSource, buffer: Buffer, start: number, end: number, restore: boolean): boolean {
    this.#flush()
    if (this.blocked || this.#closed) return false
    const room = start - HEADROOM
    if (restore) {
      this.#saved ??= new Uint8Array(HEADROOM)
      this.#saved.set(buffer.subarray(room, start))
      this.#savedIn = buffer
      this.#savedAt = room
    }
    putHeader(buffer, start - HEADER, Type.data, 0, sender.id, end - start)
    // The view begins where the link may begin to write.
    if (this.#write(buffer.subarray(room, end), HEADROOM - HEADER)) this.#restore()
    else this.#sender = sender
    return true
  }

  /** A stream has data and window. */
  enqueue(sender: FrameSource): void {
    if (sender.queued || this.#closed) return
    sender.queued = true
    if (this.#last === undefined) this.#first = sender
    else this.#last.next = sender
    this.#last = sender
    if (!this.blocked) this.#schedule()
  }

  /** Serves waiting streams in turn. Called at the end of each read of the link and of each turn. */
  serve(): void {
    if (this.#serving) return
    this.#serving = true
    while (!this.blocked && this.#first !== undefined) {
      const sender = this.#first
      this.#first = sender.next
      if (this.#first === undefined) this.#last = undefined
      sender.next = undefined
      sender.queued = false
      sender.serve(this.#first === undefined ? this.maxFrame : this.#share)
      if (sender.ready) this.enqueue(sender)
    }
    this.#serving = false
  }

  /** Ends the link when all data is sent. */
  finish(): void {
    this.#finishing = true
    this.#first = undefined
    this.#last = undefined
    if (!this.blocked) this.#turn()
  }

  /** Stops sending. */
  close(): void {
    this.#closed = true
    this.#first = undefined
    this.#last = undefined
    this.#control = undefined
    this.#release()
  }

  #room(bytes: number): Buffer | undefined {
    if (this.#gather !== undefined && this.#used + bytes > this.#gather.length) this.#flush()
    if (this.blocked) return undefined
    this.#gather ??= spare.pop() ?? Buffer.allocUnsafeSlow(GATHER_BYTES)
    this.#schedule()
    return this.#gather
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** Runs after all reads of a turn of the event loop. */
  readonly #turn = (): void => {
    this.#scheduled = false
    this.serve()
    this.#flush()
    if (this.blocked || this.#closed) return
    this.#release()
    if (this.#finishing) {
      this.#closed = true
      this.#link.end()
    }
  }

  #flush(): void {
    const gather = this.#gather
    if (gather === undefined || this.#used === 0 || this.blocked || this.#closed) return
    const bytes = this.#used
    this.#used = 0
    if (!this.#write(gather.subarray(0, bytes))) {
      this.#inFlight = gather
      this.#gather = undefined
    }
  }

  #write(bytes: Buffer, start = 0): boolean {
    this.#rate.wrote(bytes.length - start)
    if (this.#link.write(bytes, start, bytes.length, false)) {
      this.#rate.free()
      return true
    }
    this.blocked = true
    this.#rate.blocked()
    return false
  }

  #unblocked(): void {
    if (!this.blocked) return
    this.blocked = false
    this.#rate.unblocked(this.#sender !== undefined || this.#first !== undefined)
    this.#restore()
    if (this.#inFlight !== undefined && this.#gather === undefined) this.#gather = this.#inFlight
    this.#inFlight = undefined
    const control = this.#control
    if (control !== undefined) {
      this.#control = undefined
      this.#write(control.subarray(0, this.#controlUsed))
    }
    const sender = this.#sender
    this.#sender = undefined
    sender?.written()
    if (!this.blocked) this.#turn()
  }

  #restore(): void {
    if (this.#saved !== undefined) this.#savedIn?.set(this.#saved, this.#savedAt)
    this.#savedIn = undefined
  }

  #release(): void {
    if (this.#gather !== undefined && this.#gather.length === GATHER_BYTES && spare.length < MAX_SPARE)
      spare.push(this.#gather)
    this.#gather = undefined
    this.#used = 0
  }

  #queue(type: number, flags: number, id: number, length: number): void {
    const control = this.#control ?? Buffer.allocUnsafe(64 * HEADER)
    if (this.#control === undefined) this.#controlUsed = 0
    this.#control = control
    if (this.#controlUsed === control.length) {
      if (this.#controlUsed >= this.#controlLimit) {
        this.#overrun()
        return
      }
      this.#control = Buffer.allocUnsafe(Math.min(this.#controlLimit, control.length * 2))
      control.copy(this.#control)
    }
    putHeader(this.#control, this.#controlUsed, type, flags, id, length)
    this.#controlUsed += HEADER
  }
}
