import { type RawStream, SLAB_SIZE } from '@rystra/bytes'
import { performance } from 'node:perf_hooks'
import { HEADER, putHeader, Type } from './frame.js'
import type { Sending } from './sending.js'

/** What is gathered for one write, in bytes: as much as one read of a quiet socket brings, and some headers. */
const GATHER = 68 * 1024

/** The largest data frame: one slab. A stream that has the link for itself sends what it has in one write. */
const LARGEST_FRAME = SLAB_SIZE

/** Buffers for gathering: a session has one only while it has something to send. */
const spare: Buffer[] = []
const SPARE_LIMIT = 16

/**
 * The way out of a session: puts frames on the link.
 *
 * Small frames of all streams are gathered and written once per turn of the event loop; large ones are written from
 * where they are, their header in front of them. While the link is blocked, frames without payload wait in a bounded
 * queue here, and payload waits in its streams, which are then served in turns.
 */
export class Outgoing {
  /** The link has said that no more may be written for now. */
  blocked = false

  readonly #link: RawStream
  readonly #frameSize: number
  readonly #controlLimit: number
  readonly #overrun: () => void
  #gather: Buffer | undefined
  #used = 0
  #scheduled = false
  #serving = false
  #blockedAt = 0
  #closed = false
  #finishing = false
  /** What the link is busy with while it is blocked. */
  #flying: Buffer | undefined
  #sender: Sending | undefined
  /** Frames without payload that wait until the link is free. */
  #control: Buffer | undefined
  #controlUsed = 0
  /** Bytes that a header lies over for the time of a write, and where they belong. */
  readonly #saved = new Uint8Array(HEADER)
  #savedIn: Buffer | undefined
  #savedAt = 0
  /** Streams that have something to send and may. */
  #first: Sending | undefined
  #last: Sending | undefined

  /**
   * @param controlLimit frames without payload that may wait
   * @param overrun called when it is exceeded: the other side makes us answer, and does not read
   */
  constructor(link: RawStream, frameSize: number, controlLimit: number, overrun: () => void) {
    this.#link = link
    this.#frameSize = frameSize
    this.#controlLimit = controlLimit * HEADER
    this.#overrun = overrun
    link.onWritable = () => this.#unblocked()
  }

  /** Whether nobody waits, so that a stream may send at once. */
  get free(): boolean {
    return !this.blocked && this.#first === undefined && !this.#serving && !this.#closed
  }

  /** Milliseconds since the link took anything; 0 when it takes. */
  blockedFor(): number {
    return this.blocked ? performance.now() - this.#blockedAt : 0
  }

  /** Sends a frame without payload, behind what was sent before. */
  frame(type: number, flags: number, id: number, length: number): void {
    if (this.#closed) return
    const gather = this.#room(HEADER)
    if (gather === undefined) this.#queue(type, flags, id, length)
    else {
      putHeader(gather, this.#used, type, flags, id, length)
      this.#used += HEADER
    }
  }

  /** Copies bytes into a data frame. Returns how many: 0 when blocked. */
  copy(id: number, buffer: Buffer, start: number, end: number): number {
    if (this.#closed) return 0
    const gather = this.#room(HEADER + Math.min(end - start, GATHER - HEADER))
    if (gather === undefined) return 0
    const bytes = Math.min(end - start, gather.length - this.#used - HEADER)
    putHeader(gather, this.#used, Type.data, 0, id, bytes)
    buffer.copy(gather, this.#used + HEADER, start, start + bytes)
    this.#used += HEADER + bytes
    return bytes
  }

  /**
   * Sends lent bytes as a data frame, its header in the 12 bytes in front of them. If those must not change, `restore`
   * puts them back. Returns false when blocked. When it is blocked afterwards, the bytes are in use until `landed`.
   */
  inPlace(sender: Sending, buffer: Buffer, start: number, end: number, restore: boolean): boolean {
    this.#flush()
    if (this.blocked || this.#closed) return false
    const head = start - HEADER
    if (restore) {
      this.#saved.set(buffer.subarray(head, start))
      this.#savedIn = buffer
      this.#savedAt = head
    }
    putHeader(buffer, head, Type.data, 0, sender.id, end - start)
    // A view that begins with the header: what lies in front of it is not the link's.
    if (this.#write(buffer.subarray(head, end))) this.#restore()
    else this.#sender = sender
    return true
  }

  /** A stream has got something to send, or may send what it has. */
  enqueue(sender: Sending): void {
    if (sender.queued || this.#closed) return
    sender.queued = true
    if (this.#last === undefined) this.#first = sender
    else this.#last.next = sender
    this.#last = sender
    if (!this.blocked) this.#schedule()
  }

  /** Lets streams send that may, in turns. Called at the end of each read of the link, and of each turn. */
  serve(): void {
    if (this.#serving) return
    this.#serving = true
    while (!this.blocked && this.#first !== undefined) {
      const sender = this.#first
      this.#first = sender.next
      if (this.#first === undefined) this.#last = undefined
      sender.next = undefined
      sender.queued = false
      sender.serve(this.#first === undefined ? LARGEST_FRAME : this.#frameSize)
      if (sender.ready) this.enqueue(sender)
    }
    this.#serving = false
  }

  /** Ends the link when everything is sent. */
  finish(): void {
    this.#finishing = true
    this.#first = undefined
    this.#last = undefined
    if (!this.blocked) this.#turn()
  }

  /** Sends nothing more. */
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
    this.#gather ??= spare.pop() ?? Buffer.allocUnsafeSlow(GATHER)
    this.#schedule()
    return this.#gather
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** After all reads of one turn of the event loop. */
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
      this.#flying = gather
      this.#gather = undefined
    }
  }

  #write(bytes: Buffer): boolean {
    if (this.#link.write(bytes, 0, bytes.length, false)) return true
    this.blocked = true
    this.#blockedAt = performance.now()
    return false
  }

  #unblocked(): void {
    if (!this.blocked) return
    this.blocked = false
    this.#restore()
    if (this.#flying !== undefined && this.#gather === undefined) this.#gather = this.#flying
    this.#flying = undefined
    const control = this.#control
    if (control !== undefined) {
      this.#control = undefined
      this.#write(control.subarray(0, this.#controlUsed))
    }
    const sender = this.#sender
    this.#sender = undefined
    sender?.landed()
    if (!this.blocked) this.#turn()
  }

  #restore(): void {
    this.#savedIn?.set(this.#saved, this.#savedAt)
    this.#savedIn = undefined
  }

  #release(): void {
    if (this.#gather !== undefined && this.#gather.length === GATHER && spare.length < SPARE_LIMIT)
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
