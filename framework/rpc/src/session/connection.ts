import type { RawStream } from '@rystra/bytes'
import { isRystraError } from '@rystra/model'
import { monotonicTime } from '../clock/session-clock.js'
import { decodeBody } from '../codec/codecs.js'
import { RpcError, rpcError } from '../error.js'
import { HeadReader } from '../frame/head.js'
import type { Metadata } from '../frame/metadata.js'
import { type FrameEvents, FrameReader } from '../frame/reader.js'
import { Flag, FrameType } from '../frame/types.js'
import { writeCredit, writeHello, writeTimes } from '../frame/write.js'
import { EVENT_CREDIT_BYTES, MAX_CALLS, MAX_MESSAGE_BYTES, RPC_VERSION } from '../limits.js'
import { Assemblies, Assembly } from './assembly.js'
import { Assembled, errorOf, type Received, Whole } from './received.js'
import { encoded, FrameSender } from './sender.js'
import type { WireSettings } from './wire-settings.js'
import { FrameWriter } from './writer.js'

/** Frames that make this side write something. */
const ANSWERED: ReadonlySet<number> = new Set([FrameType.request, FrameType.event, FrameType.data, FrameType.ping])

/** What happens on a {@link Connection}. */
export interface ConnectionEvents {
  onRequest(received: Received): void
  onEvent(received: Received, cost: number): void
  onResponse(received: Received): void
  onError(id: number, error: RpcError, metadata: Metadata | undefined): void
  onCancel(id: number): void
  /** Whether an answer of this number is waited for. Throws for a number that was never given out. */
  waitsFor(id: number): boolean
  onCredit(): void
  onGoAway(error: RpcError): void
  onPong(sent: number, received: number, answered: number): void
  /** Called once; `error` is absent when it ended cleanly. */
  onClose(error?: Error): void
}

/** What the other side has said of itself, or the least that it must take as long as it has not. */
export interface PeerHello {
  readonly version: number
  readonly capabilities: number
  readonly maxMessageBytes: number
  readonly maxCalls: number
  readonly metadata: Metadata
}

/** One stream that carries the frames of a session. See SPEC.md 4. */
export class Connection implements FrameEvents {
  readonly writer: FrameWriter
  readonly send: FrameSender
  peer: PeerHello = {
    version: RPC_VERSION,
    capabilities: 0,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    maxCalls: MAX_CALLS,
    metadata: {}
  }
  /** Bytes of events that the other side still takes; may become negative by one event. */
  credit = EVENT_CREDIT_BYTES
  readonly #stream: RawStream
  readonly #settings: WireSettings
  readonly #events: ConnectionEvents
  readonly #head = new HeadReader()
  readonly #assemblies: Assemblies
  #creditGiven: number
  #owed = 0
  #established = false
  #closed = false
  #timer: NodeJS.Timeout | undefined

  constructor(stream: RawStream, settings: WireSettings, events: ConnectionEvents) {
    this.#stream = stream
    this.#settings = settings
    this.#events = events
    this.#creditGiven = settings.eventCredit
    this.#assemblies = new Assemblies(4 * settings.maxMessageBytes)
    this.writer = new FrameWriter(stream)
    this.send = new FrameSender(this.writer, settings)
    stream.onClose = (error) => this.#over(error)
    const { metadata, maxMessageBytes, maxCalls, eventCredit } = settings
    writeHello(this.writer, {
      version: RPC_VERSION,
      capabilities: 0,
      maxMessageBytes,
      maxCalls,
      eventCredit,
      metadata: encoded(metadata)
    })
  }

  /** Begins to read; frames may come within the call. */
  start(): void {
    this.#stream.read(new FrameReader(this))
    if (this.#established || this.#closed) return
    const late = (): void => this.fail(rpcError('rpc.protocol', 'no Hello within the timeout'))
    this.#timer = setTimeout(late, this.#settings.openTimeout)
    this.#timer.unref()
  }

  /** Whether the other side has said Hello. */
  get established(): boolean {
    return this.#established
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether so much waits for the peer to read that its calls are refused. */
  get full(): boolean {
    return this.writer.queued > this.#settings.maxQueueBytes
  }

  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.#closed) return
    this.#frame(type, flags, id, bytes, start, end, this.#head.start(bytes, start, end))
    this.#head.stop()
  }

  #frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number, head: HeadReader): void {
    if (!this.#established) {
      this.#hello(type, flags, head)
      return
    }
    if (ANSWERED.has(type)) this.#checkUnread()
    switch (type) {
      case FrameType.request:
      case FrameType.event:
        this.#call(type, flags, id, head, end - start)
        return
      case FrameType.response:
        head.codec = head.u8()
        head.name = ''
        head.deadline = 0
        head.takeBody(flags)
        this.#answer(flags, id, head)
        return
      case FrameType.error:
        this.#error(flags, id, head)
        return
      case FrameType.data:
        this.#data(flags, id, bytes, start, end)
        return
      case FrameType.cancel:
        this.#assemblies.drop(id, false)
        this.#events.onCancel(id)
        return
      case FrameType.credit:
        this.credit = Math.min(this.credit + head.u32(), 0xffff_ffff)
        this.#events.onCredit()
        return
      case FrameType.goAway:
        this.#events.onGoAway(errorOf(flags, head))
        return
      case FrameType.ping:
        writeTimes(this.writer, FrameType.pong, id, head.time(), monotonicTime(), monotonicTime())
        return
      case FrameType.pong:
        this.#events.onPong(head.time(), head.time(), head.time())
        return
      default:
        throw rpcError('rpc.protocol', `frame type ${type} on the stream of calls`)
    }
  }

  /** Small answers have no other bound: a peer that sends what is answered and reads nothing is given up. */
  #checkUnread(): void {
    if (this.writer.queuedFrames > 2 * this.#settings.maxQueueBytes)
      throw rpcError('rpc.busy', 'the peer does not read its answers')
  }

  #hello(type: number, flags: number, head: HeadReader): void {
    if (type !== FrameType.hello) throw rpcError('rpc.protocol', 'the first frame is no Hello')
    this.#established = true
    clearTimeout(this.#timer)
    const version = head.u8()
    if (version !== RPC_VERSION) throw rpcError('rpc.protocol', `version ${version}, expected ${RPC_VERSION}`)
    const [capabilities, maxMessageBytes, maxCalls, eventCredit] = [head.u32(), head.u32(), head.u32(), head.u32()]
    head.takeMetadata(flags)
    this.peer = { version, capabilities, maxMessageBytes, maxCalls, metadata: head.metadata ?? {} }
    this.send.maxMessageBytes = maxMessageBytes
    this.credit += eventCredit - EVENT_CREDIT_BYTES
    this.#events.onCredit()
  }

  #call(type: number, flags: number, id: number, head: HeadReader, size: number): void {
    head.takeCall(flags)
    if (id === 0 || this.#assemblies.has(id, false)) throw rpcError('rpc.protocol', `id ${id} is in use`)
    const { total } = head
    const cost = 8 + size + total
    if (type === FrameType.event) {
      if (this.#creditGiven <= 0) throw rpcError('rpc.protocol', 'an event without credit')
      this.#creditGiven -= cost
    }
    if (total === 0) {
      this.#deliver(type, new Whole(id, head, this.#settings.codecs), cost)
      return
    }
    const refusal = this.#refusal(total)
    if (refusal === undefined) this.#assemblies.begin(new Assembly(type, id, head, total), false)
    else if (type === FrameType.request) this.send.error(id, refusal)
    else this.giveBack(cost)
  }

  #refusal(total: number): RpcError | undefined {
    const { maxMessageBytes } = this.#settings
    if (total > maxMessageBytes) return rpcError('rpc.too-large', `${total} of ${maxMessageBytes} bytes`)
    return this.#assemblies.fits(total) ? undefined : rpcError('rpc.busy', 'too many long messages at once')
  }

  #deliver(type: number, received: Received, cost: number): void {
    if (type === FrameType.event) this.#events.onEvent(received, cost)
    else this.#events.onRequest(received)
  }

  #answer(flags: number, id: number, head: HeadReader): void {
    if (!this.#events.waitsFor(id)) return
    const { total } = head
    if ((flags & Flag.more) === 0) {
      this.#events.onResponse(new Whole(id, head, this.#settings.codecs))
      return
    }
    if (this.#assemblies.has(id, true)) throw rpcError('rpc.protocol', `two answers to ${id}`)
    const refusal = this.#refusal(total)
    if (refusal === undefined) this.#assemblies.begin(new Assembly(FrameType.response, id, head, total), true)
    else this.#events.onError(id, refusal, undefined)
  }

  #error(flags: number, id: number, head: HeadReader): void {
    if (!this.#events.waitsFor(id)) return
    this.#assemblies.drop(id, true)
    const { code, message, retryable } = errorOf(flags, head)
    const retryAfter = (flags & Flag.time) === 0 ? undefined : head.u32()
    head.codec = head.u8()
    head.takeMetadata(flags)
    let data: unknown
    try {
      data = decodeBody(this.#settings.codecs, head.codec, head.rest(), false)
    } catch {
      // The code says enough; what cannot be decoded is left out.
    }
    this.#events.onError(id, new RpcError(code, { message, data, retryable, retryAfter }), head.metadata)
  }

  #data(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const answer = (flags & Flag.answer) !== 0
    const whole = this.#assemblies.add(id, answer, bytes, start, end, (flags & Flag.more) !== 0)
    if (whole === undefined) return
    const received = new Assembled(whole, this.#settings.codecs)
    if (answer) this.#events.onResponse(received)
    else this.#deliver(whole.type, received, received.bytes)
  }

  /** Listeners are done with events of so many bytes. Told to the other side when it is half of what it has. */
  giveBack(cost: number): void {
    this.#owed += cost
    if (this.#closed || this.#owed < this.#settings.eventCredit / 2) return
    writeCredit(this.writer, this.#owed)
    this.#creditGiven += this.#owed
    this.#owed = 0
  }

  /** Sends what is queued, then the end. */
  end(): void {
    this.writer.end()
  }

  /** Gives the connection up. */
  fail(error: Error): void {
    if (this.#closed) return
    this.#over(error)
    this.#stream.reset()
  }

  onEnd(): void {
    this.writer.end()
    this.#over()
  }

  onFailed(error: Error): void {
    this.fail(error)
  }

  #over(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    if (error !== undefined) this.writer.stop()
    this.#events.onClose(error)
  }
}

/** Why a connection was never there: then no call on it has run. */
export const refusalOf = (connection: Connection, error: Error | undefined): RpcError | undefined => {
  if (isRystraError(error) && error.code === 'channel.refused') return rpcError('rpc.denied', error.detail, error)
  return connection.established ? undefined : rpcError('rpc.unavailable', error?.message, error)
}
