import { codecFor, decodeBody } from '../codec/codecs.js'
import { rpcError } from '../error.js'
import type { HeadReader } from '../frame/head.js'
import { Flag, FrameType } from '../frame/types.js'
import type { FrameSink } from '../frame/write.js'
import { MAX_FRAME_BYTES } from '../limits.js'
import type { ByteBudget } from './byte-budget.js'
import type { WireSettings } from './wire-settings.js'

/** One message of a stream. */
export interface StreamMessage {
  readonly data: unknown
  /** Of unreliable and of timed streams. */
  readonly seq: number | undefined
  /** Milliseconds since the epoch by the sender's clock. */
  readonly time: number | undefined
  /** Size of its body. */
  readonly bytes: number
}

/** Bytes in front of a body in a Stream frame, at most. */
const MAX_HEAD = 1 + 4 + 8 + 8

/** Bytes of a body in one frame, at most. */
export const STREAM_CHUNK_BYTES = MAX_FRAME_BYTES - MAX_HEAD

/** A message in as many frames as it takes: one Stream frame, and Data frames when it is long. Throws `rpc.invalid`. */
export const writeMessage = (
  sink: FrameSink,
  id: number,
  data: unknown,
  seq: number | undefined,
  time: number | undefined,
  { codec: chosen, maxMessageBytes }: Pick<WireSettings, 'codec' | 'maxMessageBytes'>
): void => {
  const codec = codecFor(data, chosen)
  const body = codec?.encode(data)
  const total = body?.length ?? 0
  if (total > maxMessageBytes) throw rpcError('rpc.too-large', `${total} of ${maxMessageBytes} bytes`)
  const first = Math.min(total, STREAM_CHUNK_BYTES)
  const more = first < total
  const flags = (more ? Flag.more : 0) | (seq === undefined ? 0 : Flag.seq) | (time === undefined ? 0 : Flag.time)
  const size = 1 + (more ? 4 : 0) + (seq === undefined ? 0 : 8) + (time === undefined ? 0 : 8) + first
  let at = sink.begin(FrameType.stream, flags, id, size)
  const { buffer } = sink
  buffer[at++] = codec?.number ?? 0
  if (more) at = buffer.writeUInt32BE(total, at)
  if (seq !== undefined) {
    at = buffer.writeUInt32BE(Math.floor(seq / 0x1_0000_0000), at)
    at = buffer.writeUInt32BE(seq % 0x1_0000_0000, at)
  }
  if (time !== undefined) at = buffer.writeDoubleBE(time, at)
  if (body === undefined) return
  if (!more) {
    buffer.set(body, at)
    return
  }
  buffer.set(body.subarray(0, first), at)
  for (let sent = first; sent < total; ) {
    const part = Math.min(total - sent, MAX_FRAME_BYTES)
    const place = sink.begin(FrameType.data, sent + part < total ? Flag.more : 0, id, part)
    sink.buffer.set(body.subarray(sent, sent + part), place)
    sent += part
  }
}

/** A long message of a stream that has not come whole. */
interface Long {
  readonly codec: number
  readonly seq: number | undefined
  readonly time: number | undefined
  readonly body: Buffer
  have: number
}

/** Puts the frames of one stream together to messages. */
export class MessageReader {
  readonly #settings: Pick<WireSettings, 'codecs' | 'maxMessageBytes'>
  readonly #budget: ByteBudget | undefined
  #long: Long | undefined

  /** @param budget for long messages that have not come whole; without one there is no bound but that of each */
  constructor(settings: Pick<WireSettings, 'codecs' | 'maxMessageBytes'>, budget?: ByteBudget) {
    this.#settings = settings
    this.#budget = budget
  }

  /** Gives up what has not come whole. */
  stop(): void {
    this.#budget?.give(this.#long?.body.length ?? 0)
    this.#long = undefined
  }

  /** A Stream frame. Answers with its message when it is whole. Throws `rpc.protocol`, `rpc.invalid`, `rpc.too-large`, `rpc.busy`. */
  first(flags: number, head: HeadReader): StreamMessage | undefined {
    if (this.#long !== undefined) throw rpcError('rpc.protocol', 'a message within another')
    const codec = head.u8()
    const total = (flags & Flag.more) === 0 ? 0 : head.u32()
    const seq = (flags & Flag.seq) === 0 ? undefined : head.u53()
    const time = (flags & Flag.time) === 0 ? undefined : head.time()
    const rest = head.rest()
    if (total === 0) {
      return { data: decodeBody(this.#settings.codecs, codec, rest, false), seq, time, bytes: rest.length }
    }
    const { maxMessageBytes } = this.#settings
    if (total > maxMessageBytes) throw rpcError('rpc.too-large', `${total} of ${maxMessageBytes} bytes`)
    if (rest.length >= total) throw rpcError('rpc.protocol', 'a message that ended too early')
    if (this.#budget?.take(total) === false) throw rpcError('rpc.busy', 'too many long messages at once')
    const body = Buffer.allocUnsafeSlow(total)
    this.#long = { codec, seq, time, body, have: rest.copy(body) }
    return undefined
  }

  /** A Data frame. */
  next(flags: number, bytes: Buffer, start: number, end: number): StreamMessage | undefined {
    const long = this.#long
    if (long === undefined) throw rpcError('rpc.protocol', 'a part without a message')
    const more = (flags & Flag.more) !== 0
    const left = long.body.length - long.have
    if (end === start || (more ? end - start >= left : end - start !== left)) {
      throw rpcError('rpc.protocol', 'a part that does not fit its message')
    }
    long.have += bytes.copy(long.body, long.have, start, end)
    if (more) return undefined
    this.stop()
    const { codec, seq, time, body } = long
    return { data: decodeBody(this.#settings.codecs, codec, body, true), seq, time, bytes: body.length }
  }
}
