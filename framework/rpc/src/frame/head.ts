import { isUtf8 } from 'node:buffer'
import { rpcError } from '../error.js'
import { MAX_NAMES } from '../limits.js'
import { decodeMetadata, type Metadata } from './metadata.js'
import { Flag } from './types.js'

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f]/

/** Whether a text may be the name of a request, event or stream. */
export const isName = (name: string): boolean => name !== '' && !control.test(name)

/** Text of `size` bytes, UTF-8 without control characters. */
const text = (bytes: Buffer, at: number, end: number, what: string): string => {
  const part = bytes.subarray(at, end)
  if (!isUtf8(part)) throw rpcError('rpc.protocol', `${what}: not UTF-8`)
  const found = part.toString()
  if (control.test(found)) throw rpcError('rpc.protocol', `${what}: a control character`)
  return found
}

const NONE: Buffer = Buffer.alloc(0)

/**
 * Reads what stands in front of the body of a Request, Response, Error, Event or Open. One for each connection: its
 * fields are those of the last frame, and it remembers the names that have numbers.
 */
export class HeadReader {
  codec = 0
  name = ''
  /** Milliseconds that are left to the caller; 0 when nothing was said. */
  deadline = 0
  /** Size of the whole body when it comes in several frames. */
  total = 0
  metadata: Metadata | undefined
  /** Where the body begins. */
  at = 0
  #names: string[] | undefined
  #bytes = NONE
  #end = 0

  /** Begins with the rest of a frame. */
  start(bytes: Buffer, at: number, end: number): this {
    this.#bytes = bytes
    this.at = at
    this.#end = end
    return this
  }

  /** Forgets the frame: an idle connection keeps no memory of its last one. */
  stop(): void {
    this.#bytes = NONE
    this.metadata = undefined
  }

  get left(): number {
    return this.#end - this.at
  }

  u8(): number {
    if (this.left < 1) throw tooShort()
    return this.#bytes[this.at++] as number
  }

  u16(): number {
    if (this.left < 2) throw tooShort()
    this.at += 2
    return this.#bytes.readUInt16BE(this.at - 2)
  }

  u32(): number {
    if (this.left < 4) throw tooShort()
    this.at += 4
    return this.#bytes.readUInt32BE(this.at - 4)
  }

  /** A safe integer in eight bytes. */
  u53(): number {
    const high = this.u32()
    if (high >= 0x20_0000) throw rpcError('rpc.protocol', 'a number above 2^53 - 1')
    return high * 0x1_0000_0000 + this.u32()
  }

  /** Milliseconds, fractions allowed. */
  time(): number {
    if (this.left < 8) throw tooShort()
    this.at += 8
    const time = this.#bytes.readDoubleBE(this.at - 8)
    if (!(Math.abs(time) <= Number.MAX_SAFE_INTEGER)) throw rpcError('rpc.protocol', 'a time out of range')
    return time
  }

  text(size: number, what: string): string {
    if (this.left < size) throw tooShort()
    this.at += size
    return text(this.#bytes, this.at - size, this.at, what)
  }

  /** The rest, in its place. */
  rest(): Buffer {
    return this.#bytes.subarray(this.at, this.#end)
  }

  /** A name, or the number of one: see SPEC.md 4.1. */
  takeName(flags: number): void {
    const size = this.u8()
    if (size > 0) {
      this.name = this.text(size, 'name')
      if ((flags & Flag.define) === 0) return
      this.#names ??= []
      if (this.#names.length >= MAX_NAMES) throw rpcError('rpc.protocol', `more than ${MAX_NAMES} names with a number`)
      this.#names.push(this.name)
      return
    }
    const name = (flags & Flag.define) === 0 ? this.#names?.[this.u16()] : undefined
    if (name === undefined) throw rpcError('rpc.protocol', 'a number without a name')
    this.name = name
  }

  takeMetadata(flags: number): void {
    this.metadata = undefined
    if ((flags & Flag.metadata) === 0) return
    const size = this.u16()
    if (this.left < size) throw tooShort()
    this.metadata = decodeMetadata(this.#bytes, this.at, this.at + size)
    this.at += size
  }

  /** Of a Request or an Event. */
  takeCall(flags: number): void {
    this.codec = this.u8()
    this.takeName(flags)
    this.deadline = (flags & Flag.deadline) === 0 ? 0 : this.u32()
    this.takeBody(flags)
  }

  /** Of a Response, behind its codec; also the end of the others. */
  takeBody(flags: number): void {
    this.total = (flags & Flag.more) === 0 ? 0 : this.u32()
    this.takeMetadata(flags)
  }
}

const tooShort = () => rpcError('rpc.protocol', 'truncated frame')
