import { HEADROOM, type RawStream } from '@rystra/bytes'
import { headerSize, mask, MaskKeys, putHeader } from './frame.js'

/** Smaller payloads are copied behind their header into memory shared by all streams: the socket copies them again. */
const SMALL_BYTES = 16 * 1024
const scratch = Buffer.allocUnsafeSlow(HEADROOM + SMALL_BYTES)

const noKey = new Uint8Array(4)

/** How this end masks: a server never does, a client with `zeros` or with `keys`. */
export type Masking = 'none' | 'zeros' | 'keys'

/** Writes frames of one WebSocket, RFC 6455 section 5.2. */
export class FrameWriter {
  readonly #lower: RawStream
  readonly #masked: boolean
  readonly #keys: MaskKeys | undefined

  constructor(lower: RawStream, masking: Masking) {
    this.#lower = lower
    this.#masked = masking !== 'none'
    this.#keys = masking === 'keys' ? new MaskKeys() : undefined
  }

  /**
   * Writes one frame with the payload `buffer[start, end)`. The header goes in front of the payload where that memory is free.
   *
   * @param shared whether the caller uses the payload again after the call, or the memory in front of it still to be sent
   * @returns `false` when the caller should wait for `onWritable`
   */
  write(opcode: number, buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    const length = end - start
    const key = this.#masked ? (this.#keys?.next() ?? noKey) : undefined
    const size = headerSize(length, key !== undefined)
    if (length > SMALL_BYTES && !shared && this.#keys === undefined && start >= size) {
      putHeader(buffer, start, opcode, length, key)
      return this.#lower.write(buffer, start - size, end, false)
    }
    const small = length <= SMALL_BYTES
    const copy = small ? scratch : Buffer.allocUnsafe(HEADROOM + length)
    buffer.copy(copy, HEADROOM, start, end)
    if (this.#keys !== undefined && key !== undefined) mask(copy, HEADROOM, HEADROOM + length, key)
    putHeader(copy, HEADROOM, opcode, length, key)
    return this.#lower.write(copy, HEADROOM - size, HEADROOM + length, small)
  }
}
