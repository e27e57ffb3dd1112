import { RystraError } from '@rystra/model'
import { decode } from './codec.js'
import { FIRST_FRAME_LIMIT, FRAME_HEADER } from './limits.js'
import { type Message, type MessageName, messageName, OPTIONAL_TYPES } from './messages.js'

const nothing = new Uint8Array()

/**
 * Makes messages out of bytes as they come. Give it bytes with {@link push}, then call {@link next} until it answers
 * `undefined`; or stop after any message and take the bytes behind it with {@link rest}.
 *
 * Holds at most one frame. Frames that lie whole in what was pushed are decoded where they are, without a copy.
 */
export class FrameDecoder {
  /** Bytes that were pushed and not looked at yet. */
  private input: Uint8Array = nothing
  private at = 0
  private end = 0
  /** The beginning of a frame whose end has not come: memory of its own, filled up to `have`. */
  private partial: Uint8Array = nothing
  private have = 0
  /** Bytes of an ignored frame that are still to come. */
  private skipping = 0
  private failure: unknown
  private last: Uint8Array = nothing
  private ignoredFrames = 0

  /** @param limit The largest body in bytes; may be changed between messages. */
  constructor(public limit: number = FIRST_FRAME_LIMIT) {}

  /** Frames of unknown optional types so far. */
  get ignored(): number {
    return this.ignoredFrames
  }

  /** Bytes of memory that it holds for a frame whose end has not come: at most the limit and a header. */
  get held(): number {
    return this.partial.length
  }

  /** The whole frame of the last message, header and all. Valid until {@link next} or {@link push} is called. */
  get frame(): Uint8Array {
    return this.last
  }

  /**
   * Takes `buffer[start, end)`. It has to stay as it is until {@link next} answered `undefined`, or {@link rest} or
   * {@link detach} was called. Throws when the bytes before have not been used up: what piles up has no bound.
   */
  push(buffer: Uint8Array, start = 0, end: number = buffer.length): void {
    if (this.at < this.end) throw new RystraError('internal', { detail: 'push() before next() was through' })
    this.input = buffer
    this.at = start
    this.end = end
  }

  /**
   * The next message, or `undefined` when more bytes are needed.
   * Throws `protocol.malformed`, `protocol.too-large` or `protocol.unexpected`, and the same again ever after.
   */
  next(): Message | undefined {
    if (this.failure !== undefined) throw this.failure
    try {
      return this.advance()
    } catch (error) {
      this.failure = error
      this.release()
      this.partial = nothing
      throw error
    }
  }

  /** Copies what is left of the last push, so that its memory may be reused before {@link next} is through. */
  detach(): void {
    const { input, at, end } = this
    this.release()
    if (at < end) this.push(new Uint8Array(input.subarray(at, end)))
  }

  /** The bytes behind the last message, in memory of their own. They belong to the caller now. */
  rest(): Uint8Array {
    const held = this.partial.subarray(0, this.have)
    const left = this.input.subarray(this.at, this.end)
    const rest = new Uint8Array(held.length + left.length)
    rest.set(held)
    rest.set(left, held.length)
    this.partial = nothing
    this.have = 0
    this.release()
    return rest
  }

  private advance(): Message | undefined {
    this.last = nothing
    for (;;) {
      if (this.skipping > 0 && !this.skip()) return undefined
      const frame = this.have > 0 ? this.complete() : this.whole()
      if (frame === undefined) return undefined
      if (frame === nothing) continue
      this.last = frame
      return decode(messageName(frame[0] as number) as MessageName, frame.subarray(FRAME_HEADER))
    }
  }

  /** A frame that lies whole in the input; otherwise puts its beginning aside. */
  private whole(): Uint8Array | undefined {
    const { input, at, end } = this
    const available = end - at
    if (available < FRAME_HEADER) {
      if (available > 0) this.putAside(FRAME_HEADER)
      else this.release()
      return undefined
    }
    const size = this.sizeOf(input, at)
    if (size === undefined) {
      this.at += FRAME_HEADER
      return nothing
    }
    if (available < size) {
      this.putAside(size)
      return undefined
    }
    this.at += size
    return input.subarray(at, this.at)
  }

  /** The frame whose beginning was put aside, once its end has come. */
  private complete(): Uint8Array | undefined {
    if (!this.fill(FRAME_HEADER)) return undefined
    if (this.partial.length === FRAME_HEADER) {
      const size = this.sizeOf(this.partial, 0)
      if (size === undefined) {
        this.partial = nothing
        this.have = 0
        return nothing
      }
      this.grow(size)
    }
    if (!this.fill(this.partial.length)) return undefined
    const frame = this.partial
    this.partial = nothing
    this.have = 0
    return frame
  }

  /**
   * The size of a frame with its header, as soon as that is there; `undefined` for one to be ignored.
   * What cannot be accepted is refused before its body comes.
   */
  private sizeOf(bytes: Uint8Array, at: number): number | undefined {
    const type = bytes[at] as number
    const length = ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
    const known = messageName(type) !== undefined
    if (!known && type < OPTIONAL_TYPES) {
      throw new RystraError('protocol.unexpected', { detail: `unknown type 0x${type.toString(16).padStart(2, '0')}` })
    }
    if (length > this.limit) {
      throw new RystraError('protocol.too-large', { detail: `${length} of ${this.limit} bytes` })
    }
    if (known) return FRAME_HEADER + length
    this.ignoredFrames++
    this.skipping = length
    return undefined
  }

  private skip(): boolean {
    const count = Math.min(this.skipping, this.end - this.at)
    this.skipping -= count
    this.at += count
    if (this.skipping === 0) return true
    this.release()
    return false
  }

  private putAside(size: number): void {
    this.grow(size)
    this.fill(size)
  }

  private grow(size: number): void {
    const grown = new Uint8Array(size)
    grown.set(this.partial.subarray(0, this.have))
    this.partial = grown
  }

  /** Moves input into the frame put aside until it has `size` bytes. */
  private fill(size: number): boolean {
    const count = Math.min(size - this.have, this.end - this.at)
    if (count > 0) {
      this.partial.set(this.input.subarray(this.at, this.at + count), this.have)
      this.have += count
      this.at += count
    }
    if (this.have >= size) return true
    this.release()
    return false
  }

  private release(): void {
    this.input = nothing
    this.at = 0
    this.end = 0
  }
}
