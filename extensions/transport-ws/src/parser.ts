import { KEEP, type Verdict } from '@rystra/bytes'
import { RystraError } from '@rystra/plugin'
import { MAX_HEADER, Opcode } from './frame.js'
import { MAX_FRAGMENTS, MAX_MESSAGE } from './limits.js'
import { mask } from './mask.js'

/** Who is told what comes. */
export interface FrameHandler {
  /** Nothing more may be handed on now. */
  readonly waits: boolean
  /** Payload of messages, unmasked in place. The rules for its memory are those of a `RawReader`. */
  onPayload(buffer: Buffer, start: number, end: number, shared: boolean): Verdict
  /** A message is complete. @param length its bytes */
  onMessage(length: number): void
  onPing(payload: Buffer): void
  /** @param code 1005 if it has none */
  onCloseFrame(code: number, reason: Buffer): void
  /** The other side broke a rule: nothing is parsed any more. @param code with which to close */
  onBroken(code: number, error: RystraError): void
}

const broken = (detail: string): RystraError =>
  new RystraError('protocol.malformed', { detail: `WebSocket, ${detail}` })

/**
 * Takes frames apart, RFC 6455 §5. Payload is handed on as it comes, so that nothing is collected but a header and a
 * control frame: what somebody sends cannot make this end hold more.
 */
export class FrameParser {
  readonly #handler: FrameHandler
  /** Whether the other side has to mask, as clients have: the other one must not. */
  readonly #fromClient: boolean
  readonly #head = Buffer.alloc(MAX_HEADER)
  #have = 0
  #need = 2
  readonly #key = new Uint8Array(4)
  #phase = 0
  /** The mask is not all zeros. */
  #masked = false
  #inPayload = false
  #left = 0
  #fin = false
  #opcode: number = Opcode.more
  #control: Buffer | undefined
  /** Of the message that is under way. */
  #open = false
  #length = 0
  #fragments = 0
  #stopped = false

  // What is left of the bytes given, while the handler has asked to wait.
  #buffer: Buffer | undefined
  #at = 0
  #end = 0
  #shared = false

  constructor(handler: FrameHandler, fromClient: boolean) {
    this.#handler = handler
    this.#fromClient = fromClient
  }

  /** Nothing more is handed on. */
  stop(): void {
    this.#stopped = true
    this.#buffer = undefined
  }

  /** The rest waits here until {@link more} when the answer is `false`. */
  push(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    this.#buffer = buffer
    this.#at = start
    this.#end = end
    this.#shared = shared
    return this.more()
  }

  /** Goes on with the rest. The answer is that for all that was pushed. */
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

  /** Whether something waits for {@link more}. */
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
      if (error !== undefined) this.#break(1002, broken(error))
      else if (this.#need > 2) return
    }
    if (!this.#stopped) this.#complete()
  }

  /** The first two bytes. @returns what is wrong */
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

  /** The whole header is here. */
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
      this.#break(1003, broken('a text message'))
      return
    }
    this.#fragments += 1
    this.#length += length
    this.#open = !this.#fin
    if (this.#length > MAX_MESSAGE) {
      const detail = `WebSocket, a message of more than ${MAX_MESSAGE} bytes`
      this.#break(1009, new RystraError('protocol.too-large', { detail }))
    } else if (this.#fragments > MAX_FRAGMENTS) this.#break(1008, broken('a message in too many fragments'))
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
      if (control.length === 1) this.#break(1002, broken('a close frame of one byte'))
      else this.#handler.onCloseFrame(control.length === 0 ? 1005 : control.readUInt16BE(0), control.subarray(2))
    }
  }

  #break(code: number, error: RystraError): void {
    this.stop()
    this.#handler.onBroken(code, error)
  }
}
