/** In front of each fragment: message (u32), index (u16), count (u16), big-endian. */
export const FRAGMENT_HEAD_BYTES = 8
/** Fragments of one message, at most: as many are lost with the first that is. */
const MAX_FRAGMENTS = 1024

const HEAD_SPACE = 0x1_0000_0000

/** Cuts a message into datagrams of at most `size` bytes, the head included. Throws a `RangeError` when it takes more than {@link MAX_FRAGMENTS}. */
export const fragment = (message: number, data: Uint8Array, size: number): Buffer[] => {
  const room = size - FRAGMENT_HEAD_BYTES
  if (!(room > 0)) throw new RangeError(`a datagram of ${size} bytes has no room for a fragment`)
  const count = Math.max(1, Math.ceil(data.length / room))
  if (count > MAX_FRAGMENTS) {
    throw new RangeError(`a message of ${data.length} bytes takes ${count} datagrams: ${MAX_FRAGMENTS} are allowed`)
  }
  return Array.from({ length: count }, (_, index) => {
    const part = data.subarray(index * room, (index + 1) * room)
    const datagram = Buffer.allocUnsafe(FRAGMENT_HEAD_BYTES + part.length)
    datagram.writeUInt32BE(message % HEAD_SPACE, 0)
    datagram.writeUInt16BE(index, 4)
    datagram.writeUInt16BE(count, 6)
    datagram.set(part, FRAGMENT_HEAD_BYTES)
    return datagram
  })
}

/** Bounds of {@link Reassembler}. */
export interface ReassemblerOptions {
  /** Messages that are not complete, at most. @default 16 */
  readonly maxMessages?: number
  /** Bytes of all that is not complete, and of one message. @default 1048576 */
  readonly maxBytes?: number
  /** Milliseconds after which an incomplete message is given up. @default 2000 */
  readonly timeout?: number
}

interface PartialMessage {
  readonly at: number
  readonly count: number
  readonly parts: Map<number, Buffer>
  bytes: number
}

/** Finished messages that are remembered, so that a repeated fragment does not begin one again. */
const REMEMBERED = 256

/** Puts fragments together again, in any order and with repetitions. What it holds is bounded in messages, bytes and time. */
export class Reassembler {
  readonly #maxMessages: number
  readonly #maxBytes: number
  readonly #timeout: number
  /** In the order in which they began. */
  readonly #partial = new Map<number, PartialMessage>()
  readonly #finished = new Set<number>()
  #bytes = 0
  #abandoned = 0
  #refused = 0

  constructor({ maxMessages = 16, maxBytes = 1_048_576, timeout = 2000 }: ReassemblerOptions = {}) {
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
    this.#timeout = timeout
  }

  /** `abandoned`: messages given up for time or room. `refused`: fragments that are malformed, too large or repeated. */
  get stats(): {
    readonly pending: number
    readonly bytes: number
    readonly abandoned: number
    readonly refused: number
  } {
    return { pending: this.#partial.size, bytes: this.#bytes, abandoned: this.#abandoned, refused: this.#refused }
  }

  /** The message that a datagram completes. Its bytes are copied when it is one of several. */
  push(datagram: Buffer, now: number): Buffer | undefined {
    this.#expire(now)
    if (datagram.length < FRAGMENT_HEAD_BYTES) return this.#refuse()
    const message = datagram.readUInt32BE(0)
    const index = datagram.readUInt16BE(4)
    const count = datagram.readUInt16BE(6)
    const part = datagram.subarray(FRAGMENT_HEAD_BYTES)
    if (index >= count || count > MAX_FRAGMENTS || this.#finished.has(message)) return this.#refuse()
    // Only a message of one fragment may be empty: empty ones would count for nothing and be many.
    if (part.length > this.#maxBytes || (part.length === 0 && count > 1)) return this.#refuse()
    if (count === 1) return this.#finish(message, part)
    const partial = this.#partial.get(message) ?? this.#begin(message, count, now)
    if (partial.count !== count || partial.parts.has(index)) return this.#refuse()
    partial.parts.set(index, Buffer.from(part))
    partial.bytes += part.length
    this.#bytes += part.length
    if (partial.bytes > this.#maxBytes) {
      this.#abandon(message)
      return undefined
    }
    if (partial.parts.size === count) return this.#complete(message, partial)
    this.#makeRoom(message)
    return undefined
  }

  #begin(message: number, count: number, now: number): PartialMessage {
    const partial: PartialMessage = { at: now, count, parts: new Map(), bytes: 0 }
    this.#partial.set(message, partial)
    return partial
  }

  #complete(message: number, { parts, count, bytes }: PartialMessage): Buffer {
    this.#remove(message)
    const whole = Buffer.allocUnsafe(bytes)
    let at = 0
    for (let index = 0; index < count; index++) at += (parts.get(index) as Buffer).copy(whole, at)
    return this.#finish(message, whole)
  }

  #finish(message: number, whole: Buffer): Buffer {
    this.#finished.add(message)
    for (const oldest of this.#finished) {
      if (this.#finished.size <= REMEMBERED) break
      this.#finished.delete(oldest)
    }
    return whole
  }

  #makeRoom(latest: number): void {
    for (const message of this.#partial.keys()) {
      if (this.#partial.size <= this.#maxMessages && this.#bytes <= this.#maxBytes) return
      if (message !== latest) this.#abandon(message)
    }
  }

  #expire(now: number): void {
    for (const [message, { at }] of this.#partial) {
      if (at <= now && now - at <= this.#timeout) return
      this.#abandon(message)
    }
  }

  /** Its further fragments are not to begin it again. */
  #abandon(message: number): void {
    this.#remove(message)
    this.#abandoned++
    this.#finish(message, Buffer.alloc(0))
  }

  #remove(message: number): void {
    this.#bytes -= this.#partial.get(message)?.bytes ?? 0
    this.#partial.delete(message)
  }

  #refuse(): undefined {
    this.#refused++
    return undefined
  }
}
