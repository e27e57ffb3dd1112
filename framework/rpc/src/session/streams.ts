import { background } from '@rystra/model'
import type { SessionClock } from '../clock/session-clock.js'
import { type RpcError, rpcError, toRpcError } from '../error.js'
import { HeadReader } from '../frame/head.js'
import type { Metadata } from '../frame/metadata.js'
import { FrameReader } from '../frame/reader.js'
import { Flag, FrameType } from '../frame/types.js'
import { nameBytes, writeError } from '../frame/write.js'
import { type RpcMessage, runSteps } from '../middleware/middleware.js'
import { ByteBudget } from './byte-budget.js'
import { RunningCall } from './running-call.js'
import type { ChannelHead, ChannelOpener, RpcChannel } from './port.js'
import { LINGER_MS, RpcStream, type StreamHost } from './rpc-stream.js'
import type { StreamOptions } from './stream-options.js'
import { encoded } from './sender.js'
import type { SessionHost } from './session-host.js'
import type { RpcSettings } from './settings.js'
import { FrameWriter } from './writer.js'

/** Bits of the mode in an Open frame. */
const UNRELIABLE = 0x01

/** Largest messages that may be coming in on all streams of a session. */
const MAX_LONG_MESSAGES = 16

/** Datagrams kept until the Open frame has come. */
const MAX_EARLY = 64

/** The streams of one session, each on a channel of its own. */
export class Streams implements StreamHost {
  readonly settings: RpcSettings
  readonly incoming: ByteBudget
  readonly #session: SessionHost
  #open: Map<RpcStream, { since: number; direction: 'in' | 'out' }> | undefined

  constructor(session: SessionHost, settings: RpcSettings) {
    this.#session = session
    this.settings = settings
    this.incoming = new ByteBudget(MAX_LONG_MESSAGES * settings.maxMessageBytes)
  }

  get size(): number {
    return this.#open?.size ?? 0
  }

  get clock(): SessionClock {
    return this.#session.clock
  }

  onOver(stream: RpcStream, error: RpcError | undefined): void {
    const entry = this.#open?.get(stream)
    if (entry === undefined) return
    this.#open?.delete(stream)
    this.#session.observe('stream', entry.direction, stream.name, entry.since, error?.code ?? 'ok')
  }

  #add(id: number, name: string, direction: 'in' | 'out', options: StreamOptions): RpcStream {
    const stream = new RpcStream(id, name, this, options)
    this.#open ??= new Map()
    this.#open.set(stream, { since: performance.now(), direction })
    return stream
  }

  /** Opens a stream. What is wrong with the opening is an error of the stream. */
  create(
    id: number,
    name: string,
    options: StreamOptions,
    opener: ChannelOpener | undefined,
    head: ChannelHead
  ): RpcStream {
    const stream = this.#add(id, name, 'out', options)
    stream.openWith(this.#connect(stream, options, opener, head))
    return stream
  }

  async #connect(
    stream: RpcStream,
    options: StreamOptions,
    opener: ChannelOpener | undefined,
    head: ChannelHead
  ): Promise<void> {
    const { id, name } = stream
    const unreliable = options.unreliable === true
    const message: RpcMessage = {
      kind: 'stream',
      id,
      name,
      metadata: options.metadata ?? {},
      data: undefined,
      bytes: 0
    }
    const passed = await runSteps(this.settings.outbound, message, this.#session)
    if (passed === undefined) throw rpcError('rpc.denied', 'dropped by middleware')
    if (opener === undefined) throw rpcError('rpc.lost')
    const text = nameBytes(passed.name)
    const metadata = encoded(passed.metadata)
    await this.#session.established()
    const channel = await opener.open(head, unreliable)
    if (stream.closed) {
      channel.stream.reset()
      return
    }
    const writer = new FrameWriter(channel.stream)
    writeOpen(writer, id, unreliable, text, metadata)
    stream.attach(channel, writer)
  }

  /** The other side opened a stream: its Open frame is still to come. */
  accept(channel: RpcChannel): void {
    const early = keepEarly(channel)
    const writer = new FrameWriter(channel.stream)
    let refused = false
    const refuse = (error: RpcError): void => {
      if (refused) return
      refused = true
      clearTimeout(timer)
      writeError(writer, FrameType.reset, 0, error)
      writer.end()
      channel.stream.read({ onBytes: () => true, onEnd: () => {} })
      setTimeout(() => channel.stream.reset(), LINGER_MS).unref()
    }
    const late = (): void => refuse(rpcError('rpc.protocol', 'no Open within the timeout'))
    const timer = setTimeout(late, this.settings.openTimeout)
    timer.unref()
    channel.stream.onClose = () => clearTimeout(timer)
    const reader: FrameReader = new FrameReader({
      onFrame: (type, flags, id, bytes, start, end) => {
        if (refused) return
        if (events !== undefined) {
          events.onFrame(type, flags, id, bytes, start, end)
          return
        }
        const { mode, name, metadata } = readOpen(type, flags, bytes, start, end)
        if (this.size >= this.settings.maxStreams) {
          refuse(rpcError('rpc.busy', `${this.settings.maxStreams} streams at once`))
          return
        }
        clearTimeout(timer)
        const stream = this.#add(id, name, 'in', { unreliable: (mode & UNRELIABLE) !== 0, metadata })
        events = stream
        stream.attach(channel, writer, reader, early)
        background(this.#handle(stream), this.settings.log, 'a stream was not handled')
      },
      onEnd: () => (events === undefined ? channel.stream.reset() : events.onEnd()),
      onFailed: (error) => (events === undefined ? refuse(toRpcError(error)) : events.onFailed(error))
    })
    let events: RpcStream | undefined
    channel.stream.read(reader)
  }

  async #handle(stream: RpcStream): Promise<void> {
    const { id, name, metadata } = stream
    const session = this.#session
    const call = new RunningCall(id, name, session, metadata, 0)
    try {
      const message: RpcMessage = { kind: 'stream', id, name, metadata, data: undefined, bytes: 0, call }
      const passed = await runSteps(this.settings.inbound, message, session)
      if (passed === undefined) throw rpcError('rpc.denied', name)
      const route = session.router.findStream(passed.name)
      if (route === undefined) throw rpcError('rpc.unknown', name)
      await route.fn(session, stream, call)
    } catch (thrown) {
      const error = toRpcError(thrown)
      if (error.code === 'rpc.handler') this.settings.log.warn({ err: error.cause, stream: name }, 'a handler failed')
      stream.reset(error)
    }
  }

  /** The session is over. */
  end(error: RpcError): void {
    for (const stream of [...(this.#open?.keys() ?? [])]) stream.reset(error)
  }
}

const writeOpen = (
  writer: FrameWriter,
  id: number,
  unreliable: boolean,
  name: Buffer,
  metadata: Buffer | undefined
): void => {
  const size = 2 + name.length + (metadata === undefined ? 0 : 2 + metadata.length)
  let at = writer.begin(FrameType.open, metadata === undefined ? 0 : Flag.metadata, id, size)
  const { buffer } = writer
  buffer[at++] = unreliable ? UNRELIABLE : 0
  buffer[at++] = name.length
  at += name.copy(buffer, at)
  if (metadata === undefined) return
  at = buffer.writeUInt16BE(metadata.length, at)
  metadata.copy(buffer, at)
}

/** Datagrams that overtake the Open frame: a few of them, for the stream that is about to be there. */
const keepEarly = ({ datagrams }: RpcChannel): Buffer[] => {
  const early: Buffer[] = []
  if (datagrams !== undefined) {
    datagrams.onMessage = (message) => {
      if (early.length < MAX_EARLY) early.push(Buffer.from(message))
    }
  }
  return early
}

interface Opened {
  readonly mode: number
  readonly name: string
  readonly metadata: Metadata
}

const readOpen = (type: number, flags: number, bytes: Buffer, start: number, end: number): Opened => {
  if (type !== FrameType.open) throw rpcError('rpc.protocol', 'the first frame of a stream is no Open')
  const head = new HeadReader().start(bytes, start, end)
  const mode = head.u8()
  if (mode > UNRELIABLE) throw rpcError('rpc.protocol', `mode ${mode} of a stream`)
  const size = head.u8()
  if (size === 0) throw rpcError('rpc.protocol', 'a stream without a name')
  const name = head.text(size, 'name')
  head.takeMetadata(flags)
  return { mode, name, metadata: head.metadata ?? {} }
}
