import { RystraError } from '@rystra/plugin'

/** In front of each datagram in a stream: its session, 32 bits, and its length, 16 bits, both big-endian. */
export const HEADER = 6

/** The largest payload of UDP, in bytes: over IPv6, RFC 8200. Over IPv4 20 fewer. */
export const MAX_DATAGRAM = 65_527

/** In place of a length: the session is over, nothing follows. Lengths between the two are refused. */
export const CLOSE = 0xffff

/** What comes out of a stream. */
export interface FrameEvents {
  /** `datagram` is a part of what was given to the decoder, or memory of its own: the callee's either way. */
  onDatagram(session: number, datagram: Buffer): void
  onSessionClose(session: number): void
}

/** Puts datagrams together from the chunks of a stream. Keeps less than one datagram. */
export class FrameDecoder {
  readonly #events: FrameEvents
  readonly #head = Buffer.alloc(HEADER)
  #headLength = 0
  #session = 0
  /** The datagram that is not complete yet, if its header is. */
  #partial: Buffer | undefined
  #filled = 0

  constructor(events: FrameEvents) {
    this.#events = events
  }

  /** Bytes that wait for the rest of their datagram. */
  get pending(): number {
    return this.#partial === undefined ? this.#headLength : HEADER + this.#filled
  }

  /** Takes a chunk, whose memory is given up by the caller. Throws `protocol.malformed`; nothing more may follow then. */
  push(chunk: Buffer): void {
    let at = this.#finishPartial(chunk)
    while (chunk.length - at >= HEADER) {
      const session = chunk.readUInt32BE(at)
      const length = chunk.readUInt16BE(at + 4)
      at += HEADER
      if (length > MAX_DATAGRAM) {
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

  /** Completes what the chunks before left over. Answers with the bytes that were used up. */
  #finishPartial(chunk: Buffer): number {
    let at = 0
    if (this.#headLength > 0) {
      at = chunk.copy(this.#head, this.#headLength)
      this.#headLength += at
      if (this.#headLength < HEADER) return at
      this.#headLength = 0
      const session = this.#head.readUInt32BE(0)
      const length = this.#head.readUInt16BE(4)
      if (length > MAX_DATAGRAM) {
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
      throw new RystraError('protocol.malformed', { detail: `a datagram of ${length} bytes` })
    }
    this.#events.onSessionClose(session)
  }
}

/** Writes a header, and the datagram behind it; `undefined` closes the session. Answers with where the next one goes. */
export const writeFrame = (to: Buffer, at: number, session: number, datagram: Buffer | undefined): number => {
  // By hand: checked writes of numbers cost more than all the rest of a small datagram.
  const length = datagram === undefined ? CLOSE : datagram.length
  to[at] = session >>> 24
  to[at + 1] = session >>> 16
  to[at + 2] = session >>> 8
  to[at + 3] = session
  to[at + 4] = length >>> 8
  to[at + 5] = length
  if (datagram !== undefined) to.set(datagram, at + HEADER)
  return at + HEADER + (datagram === undefined ? 0 : length)
}
