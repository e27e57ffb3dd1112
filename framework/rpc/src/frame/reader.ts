import type { RawReader, Verdict } from '@rystra/bytes'
import { rpcError } from '../error.js'
import { FRAME_HEADER } from '../limits.js'
import { isFrame } from './types.js'

/** What a {@link FrameReader} tells. A throw ends the stream by {@link FrameEvents.onFailed}. */
export interface FrameEvents {
  /** The rest of a frame is `bytes[start, end)`, valid until this returns. */
  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void
  /** The other side sends no more; a frame that was begun is whole. */
  onEnd(): void
  onFailed(error: Error): void
}

/** Takes a stream of bytes apart into frames. Keeps at most one frame that has not come whole. */
export class FrameReader implements RawReader {
  /** While true, the source is asked to stop. */
  stopped = false
  #events: FrameEvents
  #part: Buffer | undefined
  #have = 0
  #failed = false

  constructor(events: FrameEvents) {
    this.#events = events
  }

  /** Tells another from the next frame on. */
  handTo(events: FrameEvents): void {
    this.#events = events
  }

  onBytes(buffer: Buffer, start: number, end: number, _shared: boolean): Verdict {
    if (this.#failed) return true
    try {
      this.#take(buffer, start, end)
    } catch (error) {
      this.#failed = true
      this.#part = undefined
      this.#events.onFailed(error as Error)
    }
    return !this.stopped
  }

  onEnd(): void {
    if (this.#failed) return
    if (this.#have > 0) {
      this.#failed = true
      this.#events.onFailed(rpcError('rpc.protocol', 'the stream ended within a frame'))
    } else this.#events.onEnd()
  }

  #take(buffer: Buffer, from: number, end: number): void {
    let at = this.#have > 0 ? this.#complete(buffer, from, end) : from
    while (end - at >= FRAME_HEADER) {
      const whole = at + sizeAt(buffer, at)
      if (whole > end) break
      this.#frame(buffer, at, whole)
      at = whole
    }
    if (at < end) this.#keep(buffer, at, end)
  }

  /** Adds to the frame that was begun; answers where the next one begins. */
  #complete(buffer: Buffer, from: number, end: number): number {
    let at = from
    if (this.#have < FRAME_HEADER) {
      const missing = Math.min(FRAME_HEADER - this.#have, end - at)
      this.#keep(buffer, at, at + missing)
      at += missing
      if (this.#have < FRAME_HEADER) return end
    }
    const part = this.#part as Buffer
    const size = sizeAt(part, 0)
    const missing = Math.min(size - this.#have, end - at)
    this.#keep(buffer, at, at + missing)
    at += missing
    if (this.#have < size) return end
    const whole = this.#part as Buffer
    this.#part = undefined
    this.#have = 0
    this.#frame(whole, 0, size)
    return at
  }

  #keep(buffer: Buffer, from: number, end: number): void {
    const size = this.#have + end - from
    const part = this.#part
    if (part === undefined || part.length < size) {
      // Room for the whole frame as soon as its size is known: it is at most 64 KiB.
      const head =
        this.#have >= FRAME_HEADER ? (part as Buffer) : this.#have === 0 ? buffer.subarray(from, end) : undefined
      const whole = head !== undefined && head.length >= FRAME_HEADER ? sizeAt(head, 0) : FRAME_HEADER
      this.#part = Buffer.allocUnsafe(Math.max(whole, size))
      part?.copy(this.#part, 0, 0, this.#have)
    }
    buffer.copy(this.#part as Buffer, this.#have, from, end)
    this.#have = size
  }

  #frame(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at] as number
    const flags = bytes[at + 1] as number
    if (!isFrame(type, flags)) throw rpcError('rpc.protocol', `frame type ${type} with flags ${flags}`)
    this.#events.onFrame(type, flags, bytes.readUInt32BE(at + 4), bytes, at + FRAME_HEADER, end)
  }
}

/** The size of the frame whose header begins at `at`. */
const sizeAt = (bytes: Buffer, at: number): number => FRAME_HEADER + bytes.readUInt16BE(at + 2)
