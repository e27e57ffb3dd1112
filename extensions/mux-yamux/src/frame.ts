/** The wire format: https://github.com/hashicorp/yamux/blob/master/spec.md */

/** Size of a header: version u8, type u8, flags u16, stream u32, length u32, all big-endian. */
export const HEADER = 12

/** Initial window of a stream in bytes, fixed by the specification. */
export const INITIAL_WINDOW = 256 * 1024

/** Largest value of a 32-bit field: window, stream id, ping. */
export const MAX_U32 = 0xffff_ffff

export const Type = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const

export const Flag = { syn: 1, ack: 2, fin: 4, rst: 8 } as const

/** Reason codes of GoAway, in its length field. */
export const Reason = { normal: 0, protocol: 1, internal: 2 } as const

/** Writes a header at `buffer[at]`. */
export const putHeader = (
  buffer: Uint8Array,
  at: number,
  type: number,
  flags: number,
  id: number,
  length: number
): void => {
  buffer[at] = 0
  buffer[at + 1] = type
  buffer[at + 2] = flags >>> 8
  buffer[at + 3] = flags
  buffer[at + 4] = id >>> 24
  buffer[at + 5] = id >>> 16
  buffer[at + 6] = id >>> 8
  buffer[at + 7] = id
  buffer[at + 8] = length >>> 24
  buffer[at + 9] = length >>> 16
  buffer[at + 10] = length >>> 8
  buffer[at + 11] = length
}

/** Reads a big-endian u32. The caller has checked the length. */
const u32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)) >>>
  0

/** Called by the parser, synchronously and in wire order. */
export interface FrameHandler {
  onHeader(type: number, flags: number, id: number, length: number): void
  /**
   * A part of the payload of the current data frame, never empty. `buffer` is the one given to {@link
   * FrameParser.push}.
   */
  onPayload(buffer: Buffer, start: number, end: number): void
  /** The end of a data frame, also of an empty one. */
  onDataEnd(): void
  /** The bytes are not yamux. Parsing stops. */
  onMalformed(detail: string): void
}

/** Parses bytes in pieces of any size. Buffers at most one header and no payload. */
export class FrameParser {
  readonly #handler: FrameHandler
  /** Made for the first header that comes in two reads. */
  #header: Uint8Array | undefined
  #have = 0
  #left = 0
  #stopped = false

  constructor(handler: FrameHandler) {
    this.#handler = handler
  }

  /** Whether the last frame is complete. */
  get clean(): boolean {
    return this.#have === 0 && this.#left === 0
  }

  /** The rest of the present frame is read elsewhere. */
  abandon(): void {
    this.#left = 0
  }

  /** Ignores further bytes, including the rest of the current ones. */
  stop(): void {
    this.#stopped = true
  }

  push(buffer: Buffer, start: number, end: number): void {
    let at = start
    while (at < end && !this.#stopped) {
      if (this.#left > 0) {
        const stop = Math.min(end, at + this.#left)
        this.#left -= stop - at
        this.#handler.onPayload(buffer, at, stop)
        at = stop
        if (this.#left === 0 && !this.#stopped) this.#handler.onDataEnd()
      } else if (this.#have === 0 && end - at >= HEADER) {
        this.#parseHeader(buffer, at)
        at += HEADER
      } else {
        this.#header ??= new Uint8Array(HEADER)
        const header = this.#header
        while (at < end && this.#have < HEADER) header[this.#have++] = buffer[at++] as number
        if (this.#have < HEADER) return
        this.#have = 0
        this.#parseHeader(header, 0)
      }
    }
  }

  #parseHeader(bytes: Uint8Array, at: number): void {
    const version = bytes[at] as number
    const type = bytes[at + 1] as number
    if (version !== 0 || type > Type.goAway) {
      this.#stopped = true
      this.#handler.onMalformed(version === 0 ? `frame type ${type}` : `version ${version}`)
      return
    }
    const flags = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
    const length = u32(bytes, at + 8)
    if (type === Type.data) this.#left = length
    this.#handler.onHeader(type, flags, u32(bytes, at + 4), length)
    if (type === Type.data && length === 0 && !this.#stopped) this.#handler.onDataEnd()
  }
}
