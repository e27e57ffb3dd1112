import { RystraError } from '@rystra/plugin'

/** Header of a datagram in a stream: session, 32 bits, and length, 16 bits, both big-endian. */
export const HEADER_BYTES = 6

/** Largest UDP payload in bytes over IPv6, RFC 8200; 20 fewer over IPv4. */
export const MAX_DATAGRAM_BYTES = 65_527

/** Length value that ends a session. Values between the two are refused. */
export const CLOSE = 0xffff

/** Decoded frames. */
export interface FrameEvents {
  /** The callee owns the memory of `datagram`. */
  onDatagram(session: number, datagram: Buffer): void
  onSessionClose(session: number): void
}

/** Reassembles datagrams from chunks of a stream. Buffers less than one datagram. */
export class FrameDecoder {
  readonly #events: FrameEvents
  readonly #head = Buffer.alloc(HEADER_BYTES)
  #headLength = 0
  #session = 0
  /** The incomplete datagram, if its header is complete. */
  #partial: Buffer | undefined
  #filled = 0

  constructor(events: FrameEvents) {
    this.#events = events
  }

  /** Buffered bytes. */
  get pending(): number {
    return this.#partial === undefined ? this.#headLength : HEADER_BYTES + this.#filled
  }

  /** Takes over a chunk. Throws `protocol.malformed`; the decoder must not be used afterwards. */
  push(chunk: Buffer): void {
    let at = this.#finishPartial(chunk)
    while (chunk.length - at >= HEADER_BYTES) {
      const session = chunk.readUInt32BE(at)
      const length = chunk.readUInt16BE(at + 4)
      at += HEADER_BYTES
      if (length > MAX_DATAGRAM_BYTES) {
        this.#special(session, length)
      } else if (chunk.length - at >= length) {
        this.#events.onDatagram(session, chunk.subarray(at, at + length))
        at += length
      } else {
        this.#begin(session, length)
        this.#filled = chunk.copy(this.#partial as Buffer, 0, at)
        return
      }
    }
    if (at < chunk.length) this.#headLength = chunk.copy(this.#head, 0, at)
  }

  /** Completes the datagram of earlier chunks. Returns the number of bytes consumed. */
  #finishPartial(chunk: Buffer): number {
    let at = 0
    if (this.#headLength > 0) {
      at = chunk.copy(this.#head, this.#headLength)
      this.#headLength += at
      if (this.#headLength < HEADER_BYTES) return at
      this.#headLength = 0
      const session = this.#head.readUInt32BE(0)
      const length = this.#head.readUInt16BE(4)
      if (length > MAX_DATAGRAM_BYTES) {
        this.#special(session, length)
        return at
      }
      this.#begin(session, length)
    }
    const partial = this.#partial
    if (partial === undefined) return at
    const copied = chunk.copy(partial, this.#filled, at)
    this.#filled += copied
    if (this.#filled === partial.length) {
      this.#partial = undefined
      this.#events.onDatagram(this.#session, partial)
    }
    return at + copied
  }

  #begin(session: number, length: number): void {
    this.#session = session
    this.#partial = Buffer.allocUnsafe(length)
    this.#filled = 0
  }

  #special(session: number, length: number): void {
    if (length !== CLOSE) {
      throw new RystraError('protocol.malformed', { detail: `datagram of ${length} bytes` })
    }
    this.#events.onSessionClose(session)
  }
}

/** Writes a header and its datagram; `undefined` ends the session. Returns the next position. */
export const writeFrame = (to: Buffer, at: number, session: number, datagram: Buffer | undefined): number => {
  // Unchecked writes: checked ones would dominate the cost of a small datagram.
  const length = datagram === undefined ? CLOSE : datagram.length
  to[at] = session >>> 24
  to[at + 1] = session >>> 16
  to[at + 2] = session >>> 8
  to[at + 3] = session
  to[at + 4] = length >>> 8
  to[at + 5] = length
  if (datagram !== undefined) to.set(datagram, at + HEADER_BYTES)
  return at + HEADER_BYTES + (datagram === undefined ? 0 : length)
}
