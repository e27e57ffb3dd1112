import { rpcError } from '../error.js'
import { MAX_ERROR_BYTES, MAX_NAME_BYTES, MAX_NAMES } from '../limits.js'
import { isName } from './head.js'
import { Flag, FrameType } from './types.js'

/** Where frames are written to: `begin` makes room for the rest of one, in `buffer`. */
export interface FrameSink {
  readonly buffer: Buffer
  begin(type: number, flags: number, id: number, size: number): number
}

/** The numbers that this side gave to names, on one connection. */
export class NameTable {
  #numbers: Map<string, number> | undefined

  /** The number of a name that has one already. */
  get(name: string): number | undefined {
    return this.#numbers?.get(name)
  }

  /** Gives a number to a name that is about to be sent. Answers whether there was one left. */
  define(name: string): boolean {
    this.#numbers ??= new Map()
    if (this.#numbers.size >= MAX_NAMES) return false
    this.#numbers.set(name, this.#numbers.size)
    return true
  }
}

/** The bytes of a name. Throws `rpc.invalid`. */
export const nameBytes = (name: string): Buffer => {
  const bytes = Buffer.from(name)
  if (isName(name) && bytes.length <= MAX_NAME_BYTES) return bytes
  throw rpcError('rpc.invalid', `name: expected 1 to ${MAX_NAME_BYTES} bytes without control characters`)
}

/** What stands around a body. */
export interface BodyHead {
  readonly codec: number
  /** Size of the whole body when it follows in Data frames, otherwise 0. */
  readonly total: number
  readonly metadata: Buffer | undefined
  /** The body, when it is in this frame. */
  readonly body: Uint8Array | undefined
}

/** A Request or an Event. Answers with the size of the whole frame. */
export const writeCall = (
  sink: FrameSink,
  names: NameTable,
  type: number,
  id: number,
  name: string,
  deadline: number,
  { codec, total, metadata, body }: BodyHead
): number => {
  const number = names.get(name)
  const text = number === undefined ? nameBytes(name) : undefined
  let flags = total > 0 ? Flag.more : 0
  if (metadata !== undefined) flags |= Flag.metadata
  if (deadline > 0) flags |= Flag.deadline
  if (text !== undefined && names.define(name)) flags |= Flag.define
  const size =
    (text === undefined ? 4 : 2 + text.length) +
    (deadline > 0 ? 4 : 0) +
    (total > 0 ? 4 : 0) +
    (metadata === undefined ? 0 : 2 + metadata.length) +
    (body === undefined ? 0 : body.length)
  let at = sink.begin(type, flags, id, size)
  const { buffer } = sink
  buffer[at++] = codec
  if (text === undefined) {
    buffer[at] = 0
    buffer[at + 1] = (number as number) >>> 8
    buffer[at + 2] = number as number
    at += 3
  } else {
    buffer[at++] = text.length
    at += text.copy(buffer, at)
  }
  if (deadline > 0) at = buffer.writeUInt32BE(deadline, at)
  writeBody(buffer, at, total, metadata, body)
  return 8 + size
}

/** A Response. */
export const writeResponse = (sink: FrameSink, id: number, { codec, total, metadata, body }: BodyHead): void => {
  let flags = total > 0 ? Flag.more : 0
  if (metadata !== undefined) flags |= Flag.metadata
  const size =
    1 +
    (total > 0 ? 4 : 0) +
    (metadata === undefined ? 0 : 2 + metadata.length) +
    (body === undefined ? 0 : body.length)
  const at = sink.begin(FrameType.response, flags, id, size)
  sink.buffer[at] = codec
  writeBody(sink.buffer, at + 1, total, metadata, body)
}

const writeBody = (
  buffer: Buffer,
  from: number,
  total: number,
  metadata: Buffer | undefined,
  body: Uint8Array | undefined
): void => {
  let at = from
  if (total > 0) at = buffer.writeUInt32BE(total, at)
  if (metadata !== undefined) {
    at = buffer.writeUInt16BE(metadata.length, at)
    at += metadata.copy(buffer, at)
  }
  if (body !== undefined) buffer.set(body, at)
}

/** What is sent of an error. */
export interface ErrorFields {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  /** Milliseconds. */
  readonly retryAfter?: number | undefined
}

const blanks = /[\p{Cc}\s]+/gu

/** At most `max` bytes of UTF-8, in one line, without half a character at its end. */
const tidy = (text: string, max: number): Buffer => {
  const bytes = Buffer.from(text.replace(blanks, ' ').trim())
  if (bytes.length <= max) return bytes
  let end = max
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end)
}

/** An Error, a Reset or a GoAway: code, text, and for an Error what follows. */
export const writeError = (
  sink: FrameSink,
  type: number,
  id: number,
  error: ErrorFields,
  { codec, metadata, body }: Pick<BodyHead, 'codec' | 'metadata' | 'body'> = {
    codec: 0,
    metadata: undefined,
    body: undefined
  }
): void => {
  const code = tidy(error.code, MAX_NAME_BYTES)
  const text = tidy(error.message, MAX_ERROR_BYTES)
  const { retryAfter } = error
  const whole = type === FrameType.error
  let flags = error.retryable ? Flag.retryable : 0
  if (whole && metadata !== undefined) flags |= Flag.metadata
  if (whole && retryAfter !== undefined) flags |= Flag.time
  const more = whole ? (retryAfter === undefined ? 1 : 5) + (metadata === undefined ? 0 : 2 + metadata.length) : 0
  const data = whole && body !== undefined ? body : undefined
  let at = sink.begin(type, flags, id, 3 + code.length + text.length + more + (data?.length ?? 0))
  const { buffer } = sink
  buffer[at++] = code.length
  at += code.copy(buffer, at)
  at = buffer.writeUInt16BE(text.length, at)
  at += text.copy(buffer, at)
  if (!whole) return
  if (retryAfter !== undefined) at = buffer.writeUInt32BE(Math.min(Math.max(0, Math.ceil(retryAfter)), 0xffff_ffff), at)
  buffer[at++] = data === undefined ? 0 : codec
  writeBody(buffer, at, 0, metadata, data)
}

/** Numbers of a Hello, in the order of the wire. */
export interface HelloFields {
  readonly version: number
  readonly capabilities: number
  readonly maxMessageBytes: number
  readonly maxCalls: number
  readonly eventCredit: number
  readonly metadata?: Buffer | undefined
}

export const writeHello = (sink: FrameSink, hello: HelloFields): void => {
  const { metadata } = hello
  const size = 17 + (metadata === undefined ? 0 : 2 + metadata.length)
  let at = sink.begin(FrameType.hello, metadata === undefined ? 0 : Flag.metadata, 0, size)
  const { buffer } = sink
  buffer[at++] = hello.version
  for (const value of [hello.capabilities, hello.maxMessageBytes, hello.maxCalls, hello.eventCredit]) {
    at = buffer.writeUInt32BE(value, at)
  }
  writeBody(buffer, at, 0, metadata, undefined)
}

/** A Ping has one time, a Pong three. */
export const writeTimes = (sink: FrameSink, type: number, id: number, ...times: readonly number[]): void => {
  let at = sink.begin(type, 0, id, 8 * times.length)
  for (const time of times) at = sink.buffer.writeDoubleBE(time, at)
}

export const writeCredit = (sink: FrameSink, bytes: number): void => {
  const at = sink.begin(FrameType.credit, 0, 0, 4)
  sink.buffer.writeUInt32BE(bytes, at)
}
