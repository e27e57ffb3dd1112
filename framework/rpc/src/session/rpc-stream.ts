import { monotonicTime, type SessionClock } from '../clock/session-clock.js'
import { type RpcError, rpcError, toRpcError } from '../error.js'
import { HeadReader } from '../frame/head.js'
import type { Metadata } from '../frame/metadata.js'
import { type FrameEvents, FrameReader } from '../frame/reader.js'
import { FrameType } from '../frame/types.js'
import { writeError } from '../frame/write.js'
import type { Aligned } from '../stream/aligned-receiver.js'
import type { JitterBufferOptions, StreamStats } from '../stream/jitter-buffer.js'
import type { Check } from '../router/route.js'
import type { ByteBudget } from './byte-budget.js'
import type { RpcChannel } from './port.js'
import { errorOf } from './received.js'
import type { WireSettings } from './wire-settings.js'
import { MessageReader, type StreamMessage, writeMessage } from './stream-frames.js'
import { type InboxEvents, StreamInbox } from './stream-inbox.js'
import { StreamIterator } from './stream-iterator.js'
import type { StreamMode, StreamOptions } from './stream-options.js'
import { UnreliableSender } from './unreliable-sender.js'
import { UnreliableReader } from './unreliable-reader.js'
import type { FrameWriter, WriterOwner } from './writer.js'

/** Bytes that wait on a side before the other is held back. */
const QUEUE_BYTES = 262_144

/** Milliseconds a peer has to read why a stream is reset. */
export const LINGER_MS = 1000

const sent = Promise.resolve()
const none: Metadata = Object.freeze({})

/** Of all streams: what it reads is read before another frame is. */
const head = new HeadReader()

/** What a stream needs of its session. */
export interface StreamHost {
  readonly settings: WireSettings
  /** For long messages of all its streams that have not come whole. */
  readonly incoming: ByteBudget
  /** Synchronised from the first use. */
  readonly clock: SessionClock
  onOver(stream: RpcStream, error: RpcError | undefined): void
}

/** Messages in both directions, beside the calls of a session. */
export class RpcStream implements AsyncIterable<unknown>, FrameEvents, InboxEvents, WriterOwner {
  readonly id: number
  readonly name: string
  readonly metadata: Metadata
  readonly #host: StreamHost
  readonly #options: StreamOptions
  readonly #inbox: StreamInbox
  readonly #messages: MessageReader
  #drained: (() => void)[] | undefined
  #channel: RpcChannel | undefined
  #writer: FrameWriter | undefined
  #reader: FrameReader | undefined
  #unreliable: UnreliableSender | undefined
  #mode: StreamMode = 'opening'
  #opening: Promise<void> = sent
  #seq = 0
  #sentEnd = false
  #gotEnd = false
  #over = false
  #error: RpcError | undefined

  /** @internal Made by `session.createStream`, or by the session for a stream of the other side. */
  constructor(id: number, name: string, host: StreamHost, options: StreamOptions = {}) {
    this.id = id
    this.name = name
    this.metadata = options.metadata ?? none
    this.#host = host
    this.#options = options
    this.#messages = new MessageReader(host.settings, host.incoming)
    this.#inbox = new StreamInbox(options.unreliable === true, QUEUE_BYTES, this)
  }

  /** How messages travel: whether datagrams are there is known once the other side has accepted. */
  get mode(): StreamMode {
    return this.#mode
  }

  /** Whether nothing can be sent or received any more. */
  get closed(): boolean {
    return this.#over
  }

  /** What was received; with {@link withTimeSync} all figures of the jitter buffer. */
  get stats(): StreamStats & { readonly dropped: number } {
    return { ...this.#inbox.stats, dropped: this.#unreliable?.dropped ?? 0 }
  }

  /** Receives by {@link recvAligned}: in order, each when its time has come by the own clock. */
  withTimeSync(options: JitterBufferOptions = {}): this {
    this.#inbox.align(this.#host.clock, options)
    return this
  }

  /** Looks at each message that is received: one that does not fit resets the stream, or is dropped where messages may be. */
  checkWith(check: Check): this {
    this.#inbox.checkWith(check)
    return this
  }

  /** @internal The opening of a stream of this side. What is sent waits for it. */
  openWith(opening: Promise<void>): void {
    this.#opening = opening.catch((error) => this.#close(toRpcError(error)))
  }

  /** @internal The channel is there. `reader` reads it already, and gives what follows to this stream. */
  attach(channel: RpcChannel, writer: FrameWriter, reader?: FrameReader, early: readonly Buffer[] = []): void {
    const { stream } = channel
    this.#channel = channel
    this.#writer = writer
    this.#reader = reader ?? new FrameReader(this)
    this.#opening = sent
    writer.owner = this
    stream.onClose = (error) => this.#closed(error)
    if (this.#options.unreliable === true) this.#attachUnreliable(channel, writer, early)
    else this.#mode = 'reliable'
    if (reader === undefined) stream.read(this.#reader)
    if (stream.closed) this.#closed(undefined)
  }

  /** @internal */
  onFrame(type: number, flags: number, _id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.stream:
        this.#take(this.#messages.first(flags, head.start(bytes, start, end)))
        break
      case FrameType.data:
        this.#take(this.#messages.next(flags, bytes, start, end))
        break
      case FrameType.end:
        this.#ended()
        break
      case FrameType.reset:
        this.#close(errorOf(flags, head.start(bytes, start, end)))
        break
      default:
        throw rpcError('rpc.protocol', `frame type ${type} on a stream`)
    }
  }

  /** @internal */
  onEnd(): void {
    if (!this.#gotEnd) this.#close(rpcError('rpc.reset', 'it ended without an End'))
  }

  /** @internal */
  onFailed(error: Error): void {
    this.reset(toRpcError(error))
  }

  #attachUnreliable(channel: RpcChannel, writer: FrameWriter, early: readonly Buffer[]): void {
    const sender = new UnreliableSender(this.id, this.#host.settings, writer, this.#options.fragment === true)
    this.#unreliable = sender
    const begin = (): void => {
      const { datagrams } = channel
      if (this.#over) return
      this.#mode = datagrams === undefined ? 'newest' : 'datagrams'
      sender.begin(datagrams)
      if (datagrams === undefined) return
      const reader = new UnreliableReader(this.#host.settings)
      const read = (datagram: Buffer): void => {
        const message = reader.read(datagram)
        if (message !== undefined && !this.#over) this.#take(message)
      }
      datagrams.onMessage = read
      for (const datagram of early) read(datagram)
    }
    channel.accepted.then(begin).catch((error) => this.reset(toRpcError(error)))
  }

  #take(message: StreamMessage | undefined): void {
    if (message === undefined || this.#over || this.#inbox.take(message, this.#mode === 'datagrams')) return
    ;(this.#reader as FrameReader).stopped = true
  }

  /** @internal */
  onRoom(): void {
    const reader = this.#reader
    if (reader?.stopped !== true || this.#over) return
    reader.stopped = false
    this.#channel?.stream.resume()
  }

  /**
   * Sends a message. Resolves when there is room for the next: await it, and a slow reader slows the sender. Rejects with
   * the error that the stream ended with, `rpc.invalid` or `rpc.too-large`. An unreliable one is sent or dropped at once.
   */
  send(data: unknown): Promise<void> {
    return this.#send(data, undefined)
  }

  /** Sends a message with its time, milliseconds since the epoch by the own clock. @param time defaults to now */
  sendWithTimestamp(data: unknown, time: number = monotonicTime()): Promise<void> {
    return this.#send(data, time)
  }

  #send(data: unknown, time: number | undefined): Promise<void> {
    const writer = this.#writer
    if (this.#over || this.#sentEnd) return Promise.reject(this.#error ?? rpcError('rpc.reset', 'the stream has ended'))
    if (writer === undefined) return this.#opening.then(() => this.#send(data, time))
    try {
      if (this.#unreliable !== undefined) {
        this.#unreliable.send(data, this.#seq++, time)
        return sent
      }
      writeMessage(writer, this.id, data, time === undefined ? undefined : this.#seq++, time, this.#host.settings)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    if (writer.queued < QUEUE_BYTES) return sent
    return new Promise((resolve, reject) => {
      this.#drained ??= []
      this.#drained.push(() => (this.#over && this.#error !== undefined ? reject(this.#error) : resolve()))
    })
  }

  /** @internal */
  onDrain(): void {
    this.#unreliable?.flush()
    for (const resolve of this.#drained?.splice(0) ?? []) resolve()
  }

  /** The next message; `undefined` after the last. Rejects when the stream was reset or lost. */
  recv(): Promise<unknown> {
    return this.#inbox.recv()
  }

  /** The next message of a stream {@link withTimeSync}, when its time has come, with that time by the own clock. */
  recvAligned(): Promise<Aligned<unknown> | undefined> {
    return this.#inbox.recvAligned()
  }

  /** Its messages. A reader that leaves early cancels the stream: the other side is to know that it is not read. */
  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    return new StreamIterator(this.#inbox, this)
  }

  /** @internal Its reader has left. */
  left(): void {
    if (!this.#gotEnd) this.reset(rpcError('rpc.cancelled'))
  }

  /** Sends no more. The other direction goes on. */
  end(): void {
    if (this.#sentEnd || this.#over) return
    const writer = this.#writer
    if (writer === undefined) {
      this.#opening.then(() => this.end()).catch((error) => this.reset(toRpcError(error)))
      return
    }
    this.#sentEnd = true
    writer.begin(FrameType.end, 0, this.id, 0)
    writer.end()
    if (this.#gotEnd) this.#close(undefined)
  }

  /** Gives it up in both directions. The other side is told code and message. */
  reset(error: RpcError = rpcError('rpc.reset')): void {
    if (this.#over) return
    const writer = this.#writer
    const stream = this.#channel?.stream
    this.#close(error)
    if (writer === undefined || stream === undefined) return
    if (stream.closed || writer.blocked || this.#sentEnd) {
      stream.reset()
      return
    }
    writeError(writer, FrameType.reset, this.id, error)
    writer.end()
    setTimeout(() => stream.reset(), LINGER_MS).unref()
  }

  #ended(): void {
    this.#gotEnd = true
    this.#inbox.end()
    if (this.#sentEnd) this.#close(undefined)
  }

  #closed(error: Error | undefined): void {
    this.#writer?.stop()
    if (this.#gotEnd && this.#sentEnd) this.#close(undefined)
    else this.#close(rpcError('rpc.lost', error?.message, error))
  }

  #close(error: RpcError | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#error = error
    this.#unreliable?.stop()
    this.#messages.stop()
    this.#inbox.end(error)
    for (const resolve of this.#drained?.splice(0) ?? []) resolve()
    this.#host.onOver(this, error)
  }
}
