import type { SessionClock } from '../clock/session-clock.js'
import { type RpcError, rpcError, toRpcError } from '../error.js'
import { HeadReader } from '../frame/head.js'
import type { Metadata } from '../frame/metadata.js'
import { type FrameEvents, FrameReader } from '../frame/reader.js'
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

/** Of a stream that says nothing else. */
const plain: StreamOptions = Object.freeze({})

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

  /** Those that are open. */
  list(): RpcStream[] {
    return [...(this.#open?.keys() ?? [])]
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
    new Opening(channel, this).begin()
  }

  /** @internal Throws `rpc.busy`. */
  opened({ id, mode, name, metadata }: Opened): RpcStream {
    const { maxStreams } = this.settings
    if (this.size >= maxStreams) throw rpcError('rpc.busy', `${maxStreams} streams at once`)
    const unreliable = (mode & UNRELIABLE) !== 0
    return this.#add(
      id,
      name,
      'in',
      unreliable || metadata !== undefined ? { unreliable, ...(metadata === undefined ? {} : { metadata }) } : plain
    )
  }

  /** @internal Runs the middleware, then the handler. */
  handle(stream: RpcStream): void {
    const { id, name, metadata } = stream
    const session = this.#session
    const call = new RunningCall(id, name, session, metadata, 0)
    const { inbound } = this.settings
    try {
      if (inbound.length === 0) {
        this.#run(stream, name, call)
        return
      }
      const message: RpcMessage = { kind: 'stream', id, name, metadata, data: undefined, bytes: 0, call }
      const passed = runSteps(inbound, message, session)
      if (passed instanceof Promise) {
        passed.then((late) => this.#passed(stream, late, call)).catch((thrown) => this.#failed(stream, thrown))
      } else this.#passed(stream, passed, call)
    } catch (thrown) {
      this.#failed(stream, thrown)
    }
  }

  #passed(stream: RpcStream, message: RpcMessage | undefined, call: RunningCall): void {
    if (message === undefined) throw rpcError('rpc.denied', stream.name)
    this.#run(stream, message.name, call)
  }

  #run(stream: RpcStream, name: string, call: RunningCall): void {
    const route = this.#session.router.findStream(name)
    if (route === undefined) throw rpcError('rpc.unknown', name)
    const handled: unknown = route.fn(this.#session, stream, call)
    if (typeof (handled as Promise<unknown> | undefined)?.then !== 'function') return
    ;(handled as Promise<unknown>).then(undefined, (thrown) => this.#failed(stream, thrown))
  }

  #failed(stream: RpcStream, thrown: unknown): void {
    const error = toRpcError(thrown)
    const { log } = this.settings
    if (error.code === 'rpc.handler') log.warn({ err: error.cause, stream: stream.name }, 'a handler failed')
    stream.reset(error)
  }

  /** The session is over. */
  end(error: RpcError): void {
    for (const stream of [...(this.#open?.keys() ?? [])]) stream.reset(error)
  }
}

/** A stream that the other side opens, until its Open frame has come. */
class Opening implements FrameEvents {
  readonly #channel: RpcChannel
  readonly #streams: Streams
  readonly #writer: FrameWriter
  readonly #reader: FrameReader
  readonly #early: Buffer[]
  #timer: NodeJS.Timeout | undefined
  #refused = false

  constructor(channel: RpcChannel, streams: Streams) {
    this.#channel = channel
    this.#streams = streams
    this.#writer = new FrameWriter(channel.stream)
    this.#reader = new FrameReader(this)
    this.#early = keepEarly(channel)
  }

  begin(): void {
    const { stream } = this.#channel
    const late = (): void => this.#refuse(rpcError('rpc.protocol', 'no Open within the timeout'))
    this.#timer = setTimeout(late, this.#streams.settings.openTimeout)
    this.#timer.unref()
    stream.onClose = () => clearTimeout(this.#timer)
    stream.read(this.#reader)
  }

  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.#refused) return
    const stream = this.#streams.opened(readOpen(type, flags, id, bytes, start, end))
    clearTimeout(this.#timer)
    this.#reader.handTo(stream)
    stream.attach(this.#channel, this.#writer, this.#reader, this.#early)
    this.#streams.handle(stream)
  }

  onEnd(): void {
    this.#channel.stream.reset()
  }

  onFailed(error: Error): void {
    this.#refuse(toRpcError(error))
  }

  #refuse(error: RpcError): void {
    if (this.#refused) return
    this.#refused = true
    clearTimeout(this.#timer)
    const { stream } = this.#channel
    writeError(this.#writer, FrameType.reset, 0, error)
    this.#writer.end()
    stream.read({ onBytes: () => true, onEnd: () => {} })
    setTimeout(() => stream.reset(), LINGER_MS).unref()
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
  readonly id: number
  readonly mode: number
  readonly name: string
  readonly metadata: Metadata | undefined
}

const readOpen = (type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): Opened => {
  if (type !== FrameType.open) throw rpcError('rpc.protocol', 'the first frame of a stream is no Open')
  const head = new HeadReader().start(bytes, start, end)
  const mode = head.u8()
  if (mode > UNRELIABLE) throw rpcError('rpc.protocol', `mode ${mode} of a stream`)
  const size = head.u8()
  if (size === 0) throw rpcError('rpc.protocol', 'a stream without a name')
  const name = head.text(size, 'name')
  head.takeMetadata(flags)
  return { id, mode, name, metadata: head.metadata }
}
