import { codecFor } from '../codec/codecs.js'
import { type RpcError, rpcError } from '../error.js'
import { encodeMetadata, type Metadata } from '../frame/metadata.js'
import { FrameType } from '../frame/types.js'
import { type BodyHead, NameTable, writeCall, writeError, writeResponse, writeTimes } from '../frame/write.js'
import { CHUNK_BYTES, MAX_MESSAGE_BYTES } from '../limits.js'
import { BodyParts } from './body-parts.js'
import type { WireSettings } from './wire-settings.js'
import type { FrameWriter } from './writer.js'

/** Makes frames of messages, on one connection. Nothing is written any more once it is closed. */
export class FrameSender {
  /** What the other side takes at most. */
  maxMessageBytes = MAX_MESSAGE_BYTES
  readonly writer: FrameWriter
  readonly #settings: WireSettings
  readonly #names = new NameTable()
  /** Requests and events that go out in parts. */
  #parts: Map<number, BodyParts> | undefined

  constructor(writer: FrameWriter, settings: WireSettings) {
    this.writer = writer
    this.#settings = settings
  }

  /** Sends a request or an event. Answers with what it costs in credit. Throws `rpc.invalid` and `rpc.too-large`. */
  call(
    type: number,
    id: number,
    name: string,
    deadline: number,
    data: unknown,
    metadata: Metadata | undefined
  ): number {
    const head = this.#bodyHead(data, metadata)
    const { body, total } = head
    if (total === 0) return writeCall(this.writer, this.#names, type, id, name, deadline, head)
    const size = writeCall(this.writer, this.#names, type, id, name, deadline, { ...head, body: undefined })
    const parts = new BodyParts(id, false, body as Uint8Array, () => this.#parts?.delete(id))
    this.#parts ??= new Map()
    this.#parts.set(id, parts)
    this.writer.add(parts)
    return size + total
  }

  response(id: number, data: unknown, metadata?: Metadata): void {
    const head = this.#bodyHead(data, metadata)
    if (head.total === 0) {
      writeResponse(this.writer, id, head)
      return
    }
    writeResponse(this.writer, id, { ...head, body: undefined })
    this.writer.add(new BodyParts(id, true, head.body as Uint8Array))
  }

  #bodyHead(data: unknown, metadata: Metadata | undefined): BodyHead {
    const codec = codecFor(data, this.#settings.codec)
    const body = codec?.encode(data)
    const size = body?.length ?? 0
    const { maxMessageBytes } = this
    if (size > maxMessageBytes) throw rpcError('rpc.too-large', `${size} of ${maxMessageBytes} bytes`)
    return { codec: codec?.number ?? 0, total: size > CHUNK_BYTES ? size : 0, metadata: encoded(metadata), body }
  }

  error(id: number, error: RpcError, metadata?: Metadata): void {
    let body: Uint8Array | undefined
    const codec = codecFor(error.data, this.#settings.codec)
    try {
      body = codec?.encode(error.data)
    } catch {
      // The code says enough.
    }
    if (body !== undefined && body.length > CHUNK_BYTES) body = undefined
    writeError(this.writer, FrameType.error, id, error, {
      codec: codec?.number ?? 0,
      metadata: encoded(metadata),
      body
    })
  }

  cancel(id: number): void {
    const parts = this.#parts?.get(id)
    if (parts !== undefined) {
      this.writer.remove(parts)
      this.#parts?.delete(id)
    }
    this.writer.begin(FrameType.cancel, 0, id, 0)
  }

  ping(id: number, time: number): void {
    writeTimes(this.writer, FrameType.ping, id, time)
  }

  goAway(error: RpcError): void {
    writeError(this.writer, FrameType.goAway, 0, error)
  }
}

/** The bytes of metadata; nothing for an empty list. */
export const encoded = (metadata: Metadata | undefined): Buffer | undefined =>
  metadata === undefined || Object.keys(metadata).length === 0 ? undefined : encodeMetadata(metadata)
