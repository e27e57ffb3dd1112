import { KEEP, type Verdict } from '@rystra/bytes'
import { RystraError } from '@rystra/plugin'
import { mask, MAX_HEADER_BYTES, Opcode } from './frame.js'
import { MAX_FRAGMENTS, MAX_MESSAGE_BYTES } from './limits.js'

/** Receiver of parsed frames. */
export interface FrameHandler {
  /** No more payload is accepted at the moment. */
  readonly waits: boolean
  /** Payload, unmasked in place. Memory follows the rules of a `RawReader`. */
  onPayload(buffer: Buffer, start: number, end: number, shared: boolean): Verdict
  /** The end of a message. @param length its size in bytes */
  onMessage(length: number): void
  onPing(payload: Buffer): void
  /** @param code 1005 if it has none */
  onCloseFrame(code: number, reason: Buffer): void
  /** A protocol violation. Parsing stops. @param code close code to send */
  onViolation(code: number, error: RystraError): void
}

const malformed = (detail: string): RystraError =>
  new RystraError('protocol.malformed', { detail: `WebSocket, ${detail}` })

/**
 * Parses frames, RFC 6455 section 5. Payload is handed on as it arrives: only a header and a control frame are
 * buffered, so that a peer cannot grow this end's memory.
 */
export class FrameParser {
  readonly #handler: FrameHandler
  /** Whether the peer is a client and must mask. */
  readonly #fromClient: boolean
  readonly #head = Buffer.alloc(MAX_HEADER_BYTES)
  #have = 0
  #need = 2
  readonly #key = new Uint8Array(4)
  #phase = 0
  /** The current mask is not all zeros. */
  #masked = false
  #inPayload = false
  #left = 0
  #fin = false
  #opcode: number = Opcode.more
  #control: Buffer | undefined
  /** State of the current message. */
  #open = false
  #length = 0
  #fragments = 0
  #stopped = false

  // The rest of the bytes, while the handler accepts no more.
  #buffer: Buffer | undefined
  #at = 0
  #end = 0
  #shared = false

  constructor(handler: FrameHandler, fromClient: boolean) {
    this.#handler = handler
    this.#fromClient = fromClient
  }

  /** Stops parsing. */
  stop(): void {
    this.#stopped = true
    this.#buffer = undefined
  }

  /** The rest is kept until {@link more} when the answer is `false`. */
  push(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    this.#buffer = buffer
    this.#at = start
    this.#end = end
    this.#shared = shared
    return this.more()
  }

  /** Continues with the rest. The answer is for all pushed bytes. */
  more(): Verdict {
    let kept = false
    while (this.#buffer !== undefined && this.#at < this.#end) {
      if (!this.#inPayload) {
        this.#takeHeader(this.#buffer)
        continue
      }
      const verdict = this.#takePayload(this.#buffer)
      const rest = this.#buffer !== undefined && this.#at < this.#end
      if (verdict === KEEP) {
        kept = true
        if (rest) this.#own()
      }
      if (verdict === false || this.#handler.waits) {
        if (!rest) this.#buffer = undefined
        else if (this.#shared) this.#own()
        return kept ? KEEP : false
      }
    }
    this.#buffer = undefined
    return kept ? KEEP : true
  }

  /** Whether bytes wait for {@link more}. */
  get waiting(): boolean {
    return this.#buffer !== undefined
  }

  #own(): void {
    this.#buffer = Buffer.from((this.#buffer as Buffer).subarray(this.#at, this.#end))
    this.#at = 0
    this.#end = this.#buffer.length
    this.#shared = false
  }

  #takeHeader(buffer: Buffer): void {
    const count = Math.min(this.#need - this.#have, this.#end - this.#at)
    buffer.copy(this.#head, this.#have, this.#at, this.#at + count)
    this.#have += count
    this.#at += count
    if (this.#have < this.#need) return
    if (this.#have === 2) {
      const error = this.#begin(this.#head[0] as number, this.#head[1] as number)
      if (error !== undefined) this.#break(1002, malformed(error))
      else if (this.#need > 2) return
    }
    if (!this.#stopped) this.#complete()
  }

  /** Parses the first two bytes. @returns the violation, if any */
  #begin(first: number, second: number): string | undefined {
    const opcode = first & 0x0f
    this.#fin = (first & 0x80) !== 0
    this.#opcode = opcode
    const keyed = (second & 0x80) !== 0
    const length = second & 0x7f
    if ((first & 0x70) !== 0) return 'a reserved bit is set'
    if (keyed !== this.#fromClient) return keyed ? 'a frame is masked' : 'a frame is not masked'
    if (opcode >= 8) {
      if (opcode > 10) return `a frame with opcode ${opcode}`
      if (!this.#fin || length > 125) return 'a control frame is fragmented or too long'
    } else if (opcode > 2) return `a frame with opcode ${opcode}`
    else if ((opcode === Opcode.more) !== this.#open) return 'fragments of messages are mixed'
    this.#need = 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (keyed ? 4 : 0)
    return undefined
  }

  /** The header is complete. */
  #complete(): void {
    const head = this.#head
    const short = (head[1] as number) & 0x7f
    let length = short
    if (short === 126) length = head.readUInt16BE(2)
    else if (short === 127) length = head.readUInt32BE(2) * 2 ** 32 + head.readUInt32BE(6)
    if (this.#fromClient) this.#key.set(head.subarray(this.#need - 4, this.#need))
    this.#masked = this.#fromClient && this.#key.some((byte) => byte !== 0)
    this.#phase = 0
    this.#have = 0
    this.#need = 2
    this.#left = length
    this.#inPayload = length > 0
    if (this.#opcode >= 8) {
      this.#control = Buffer.allocUnsafe(length)
      if (length === 0) this.#endOfFrame()
      return
    }
    if (this.#opcode === Opcode.text) {
      this.#break(1003, malformed('a text message'))
      return
    }
    this.#fragments += 1
    this.#length += length
    this.#open = !this.#fin
    if (this.#length > MAX_MESSAGE_BYTES) {
      const detail = `WebSocket, a message of more than ${MAX_MESSAGE_BYTES} bytes`
      this.#break(1009, new RystraError('protocol.too-large', { detail }))
    } else if (this.#fragments > MAX_FRAGMENTS) this.#break(1008, malformed('a message in too many fragments'))
    else if (length === 0) this.#endOfFrame()
  }

  #takePayload(buffer: Buffer): Verdict {
    const start = this.#at
    const count = Math.min(this.#left, this.#end - start)
    const end = start + count
    if (this.#masked) mask(buffer, start, end, this.#key, this.#phase)
    this.#phase = (this.#phase + count) & 3
    this.#at = end
    this.#left -= count
    const last = this.#left === 0
    if (last) this.#inPayload = false
    if (this.#control !== undefined) {
      buffer.copy(this.#control, this.#control.length - this.#left - count, start, end)
      if (last) this.#endOfFrame()
      return true
    }
    const verdict = this.#handler.onPayload(buffer, start, end, this.#shared)
    if (last) this.#endOfFrame()
    return verdict
  }

  #endOfFrame(): void {
    if (this.#stopped) return
    const control = this.#control
    if (control === undefined) {
      if (!this.#fin) return
      const length = this.#length
      this.#length = 0
      this.#fragments = 0
      this.#handler.onMessage(length)
      return
    }
    this.#control = undefined
    if (this.#opcode === Opcode.ping) this.#handler.onPing(control)
    else if (this.#opcode === Opcode.close) {
      if (control.length === 1) this.#break(1002, malformed('a close frame of one byte'))
      else this.#handler.onCloseFrame(control.length === 0 ? 1005 : control.readUInt16BE(0), control.subarray(2))
    }
  }

  #break(code: number, error: RystraError): void {
    this.stop()
    this.#handler.onViolation(code, error)
  }
}
