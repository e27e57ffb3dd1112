import { type RawReader, type RawStream, rawOf, type Verdict } from '@rystra/bytes'
import { limitUnsent, SHARED_COLUMNS } from '@rystra/native'
import { type ByteLink, type Logger, type PeerInfo, RystraError, type Side, type StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { Flag, type FrameHandler, FrameParser, INITIAL_WINDOW, Reason, Type } from './frame.js'
import { Memory, Source } from './memory.js'
import { type Link, NativeLink } from './native-link.js'
import { LinkRate } from './link-rate.js'
import type { YamuxOptions } from './options.js'
import { Outbound } from './outbound.js'
import { Outgoing } from './outgoing.js'
import { Closing } from './closing.js'
import { KeepAlive } from './keep-alive.js'
import { enforceLimit, type StreamHost, YamuxStream } from './stream.js'
import { statsOf } from './stats.js'
import { StreamTable } from './stream-table.js'
import { PendingStreams } from './pending-streams.js'

/** Multiplexes one link by the yamux protocol. */
export class YamuxSession implements StreamLink, StreamHost, FrameHandler, RawReader {
  readonly kind = 'streams'
  readonly peer: PeerInfo
  onStream: ((stream: Duplex) => void) | undefined
  onRawStream: ((stream: RawStream) => void) | undefined
  onClose: ((error?: Error) => void) | undefined

  readonly out: Outgoing
  readonly keepAlive: KeepAlive
  readonly memory: Memory
  readonly maxWindow: number
  readonly pending: PendingStreams
  readonly native: NativeLink | undefined

  readonly #link: Link
  readonly #options: YamuxOptions
  readonly #log: Logger
  readonly #parser = new FrameParser(this)
  readonly #source: Source
  readonly #streams: StreamTable
  /** The stream whose payload is being parsed; `undefined` discards it. */
  #current: YamuxStream | undefined
  #currentEnds = false
  #peerAway = false
  #away = false
  /** The session has ended: no more frames in either direction. */
  #ended = false
  #error: Error | undefined
  readonly #closing: Closing
  readonly #outbound: Outbound

  constructor(link: ByteLink, side: Side, options: YamuxOptions, log: Logger, firstId?: number) {
    this.peer = link.peer
    this.#options = options
    this.#log = log
    this.#streams = new StreamTable(side, firstId)
    const shared = new Float64Array(SHARED_COLUMNS)
    this.native = options.native
      ? NativeLink.of(link.duplex, options, shared, (detail) => this.#violated(detail))
      : undefined
    this.#link = this.native ?? rawOf(link.duplex)
    this.maxWindow = options.maxWindow
    this.memory = new Memory(options.maxSessionBuffer, shared)
    this.#source = new Source(this.memory)
    // Answers to frames of the peer: normally a few per stream.
    // The native part sees to its own links.
    const rate = new LinkRate((bytes) => options.native && this.native === undefined && limitUnsent(link.duplex, bytes))
    this.out = new Outgoing(this.#link, options.frameSize, rate, 1024 + 2 * options.maxStreams, () =>
      this.destroy(new RystraError('mux.protocol', { detail: 'peer causes answers and does not read them' }))
    )
    this.keepAlive = new KeepAlive(this.out, shared, options, (detail) =>
      this.destroy(new RystraError('session.timeout', { detail }))
    )
    this.pending = new PendingStreams(options)
    this.#outbound = new Outbound(this, this.#streams, options.maxStreams, () => this.#refusal())
    const sent = () => this.#leave(Reason.normal, undefined)
    this.#closing = new Closing(this.#streams, sent, () => this.#link.reset())
    this.#link.onClose = (error) => this.#closed(error)
    setImmediate(() => this.#start()) // `onStream` is set within this turn, see `Muxer.wrap`.
  }

  #start(): void {
    if (this.#link.closed) this.#closed(new Error('already closed'))
    if (this.#ended) return
    this.keepAlive.start()
    this.#link.read(this)
  }

  // StreamLink

  get streams(): number {
    return this.#streams.counted
  }
  readonly stats = () => statsOf(this.#streams.values(), this.out)

  async open(signal?: AbortSignal): Promise<Duplex> {
    return (await this.openRaw(signal)).duplex
  }

  openRaw(signal?: AbortSignal): Promise<YamuxStream> {
    return this.#outbound.open(signal)
  }

  get openJoined(): StreamLink['openJoined'] {
    return this.#outbound.openJoined
  }

  #refusal(): Error | undefined {
    if (this.#ended || this.#closing.active) return new RystraError('mux.closed', { cause: this.#error })
    return this.#peerAway ? new RystraError('mux.closed', { detail: 'peer accepts no more streams' }) : undefined
  }

  goAway(): void {
    if (this.#away || this.#ended) return
    this.#away = true
    this.out.frame(Type.goAway, 0, 0, Reason.normal)
  }

  close(): void {
    if (this.#ended || this.#closing.active) return
    this.pending.refuse(new RystraError('mux.closed'))
    this.goAway()
    this.#closing.begin()
  }

  /** Sends GoAway and closes the link after it. */
  #leave(reason: number, error: Error | undefined): void {
    if (this.#ended) return
    if (reason !== Reason.normal || !this.#away) this.out.frame(Type.goAway, 0, 0, reason)
    this.#stop(error, error === undefined)
    // The link ends when all data is sent, and is reset if the peer does not end it in time.
    this.out.finish()
    this.#closing.wait()
  }

  /** Resets the link. */
  destroy(error?: Error): void {
    this.#stop(error)
    this.out.close()
    this.#link.reset()
  }

  /** @param orderly what the peer has sent and ended is still read */
  #stop(error: Error | undefined, orderly = false): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#parser.stop()
    this.keepAlive.stop()
    this.pending.stop()
    this.#current = undefined
    const why = new RystraError('mux.closed', { cause: error })
    this.pending.refuse(why)
    for (const stream of [...this.#streams.values()]) {
      stream[orderly ? 'leave' : 'cut'](why)
    }
    this.#streams.clear()
  }

  /** The link is closed. */
  #closed(error: Error | undefined): void {
    const tell = this.onClose
    this.onClose = undefined
    this.#stop(error === undefined ? undefined : new RystraError('mux.closed', { detail: error.message, cause: error }))
    this.out.close()
    this.#closing.stop()
    tell?.(this.#error)
  }

  #violated(detail: string): void {
    if (this.#ended) return
    this.#log.debug({ detail }, 'yamux: protocol violation of the peer')
    this.#leave(Reason.protocol, new RystraError('mux.protocol', { detail }))
  }

  // RawReader

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    if (this.#ended) return true
    this.keepAlive.received()
    this.#source.begin(buffer, shared)
    this.#parser.push(buffer, start, end)
    const verdict = this.#source.end()
    if (this.memory.exceeded) enforceLimit(this.memory, this.#streams)
    this.out.serve()
    return verdict
  }

  onEnd(): void {
    if (this.#ended) {
      this.#link.end()
      return
    }
    const clean = this.#parser.clean && (this.#streams.size === 0 || this.#peerAway)
    this.#stop(clean ? undefined : new RystraError('mux.closed', { detail: 'peer ended the link' }), clean)
    this.out.finish()
    this.#closing.wait()
  }

  // FrameHandler

  onHeader(type: number, flags: number, id: number, length: number): void {
    if (type === Type.data || type === Type.windowUpdate) this.#onStreamFrame(type, flags, id, length)
    else if (type === Type.goAway) this.#onGoAway(length)
    else if ((flags & Flag.syn) !== 0) this.out.frame(Type.ping, Flag.ack, 0, length)
    else this.keepAlive.answered(length)
  }

  #onStreamFrame(type: number, flags: number, id: number, length: number): void {
    this.#current = undefined
    // No window is ever larger, not even that of a closed stream.
    if (type === Type.data && length > Math.max(this.maxWindow, INITIAL_WINDOW)) {
      this.#violated(`a frame of ${length} bytes`)
      return
    }
    if ((flags & Flag.syn) !== 0) this.#accept(id, flags)
    const stream = this.#streams.get(id)
    // Frames of closed streams may still be in flight.
    if (stream === undefined) return
    if ((flags & Flag.rst) !== 0) {
      stream.cut(new RystraError('stream.reset', { detail: 'by the peer' }))
      return
    }
    this.pending.acknowledged(stream)
    if (type === Type.windowUpdate) {
      stream.sending.grant(length)
      this.#closing.progress()
      if ((flags & Flag.fin) !== 0) stream.ended()
      return
    }
    if (length > 0 && stream.receiving.ended) {
      stream.reset(new RystraError('stream.reset', { detail: 'peer sent data after its end' }))
      return
    }
    if (!stream.receiving.expect(length)) {
      this.#violated(`stream ${id} exceeded its window`)
      return
    }
    stream.touched = true
    this.#current = stream
    this.#currentEnds = (flags & Flag.fin) !== 0
  }

  #accept(id: number, flags: number): void {
    if (!this.#streams.openable(id)) {
      this.#violated(`peer opened stream ${id}${this.#streams.has(id) ? ' twice' : ''}`)
      return
    }
    if ((flags & Flag.rst) !== 0) return
    const { onStream, onRawStream } = this
    if (this.#away || onStream === undefined || this.#streams.size >= this.#options.maxStreams) {
      this.out.frame(Type.windowUpdate, Flag.rst, id, 0)
      return
    }
    const stream = new YamuxStream(id, this)
    this.#streams.add(stream)
    this.out.frame(Type.windowUpdate, Flag.ack, id, 0)
    if (this.#streams.counted > 0) this.keepAlive.measure()
    if (onRawStream === undefined) onStream(stream.duplex)
    else onRawStream(stream)
  }

  #onGoAway(reason: number): void {
    if (reason !== Reason.normal) {
      this.destroy(new RystraError('mux.protocol', { detail: `peer closed the session with reason ${reason}` }))
      return
    }
    this.#peerAway = true
    this.pending.refuse(new RystraError('mux.closed', { detail: 'peer accepts no more streams' }))
  }

  onPayload(_buffer: Buffer, start: number, end: number): void {
    this.#current?.receiving.take(this.#source, start, end)
  }
  onDataEnd(): void {
    if (this.#currentEnds) this.#current?.ended()
    this.#current = undefined
  }

  onMalformed(detail: string): void {
    this.#violated(`not yamux: ${detail}`)
  }

  // StreamHost

  handedOver(stream: YamuxStream): void {
    if (this.#current !== stream) return
    this.#current = undefined
    this.#parser.abandon()
  }

  sent(stream: YamuxStream): void {
    if (!stream.receiving.ended) this.pending.halfClosed(stream)
    this.#closing.later()
  }
  over(stream: YamuxStream): void {
    this.#streams.delete(stream.id)
    this.pending.over(stream)
    this.#closing.later()
  }
}
