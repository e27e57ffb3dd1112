import { type RawReader, type RawStream, rawOf, type Verdict } from '@rystra/bytes'
import { type ByteLink, type Logger, type PeerInfo, RystraError, type Side, type StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { Flag, type FrameHandler, FrameParser, INITIAL_WINDOW, MAX_U32, Reason, Type } from './frame.js'
import { Memory, Source } from './memory.js'
import type { YamuxOptions } from './options.js'
import { Outgoing } from './outgoing.js'
import { Pulse } from './pulse.js'
import { relieve, type StreamHost, YamuxStream } from './stream.js'
import { Waiting } from './waiting.js'

/** The first stream of a link, if the client opens it, carries the control messages of the session. */
const CONTROL_ID = 1

/** Milliseconds the last frames have to get out when the session ends. */
const LINGER = 3000

/** Streams on one link, by the yamux protocol. The client opens odd ids, the server even ones. */
export class YamuxSession implements StreamLink, StreamHost, FrameHandler, RawReader {
  readonly kind = 'streams'
  readonly peer: PeerInfo
  onStream: ((stream: Duplex) => void) | undefined
  onClose: ((error?: Error) => void) | undefined

  readonly out: Outgoing
  readonly pulse: Pulse
  readonly memory: Memory
  readonly maxWindow: number

  readonly #link: RawStream
  readonly #options: YamuxOptions
  readonly #log: Logger
  readonly #parser = new FrameParser(this)
  readonly #source: Source
  readonly #streams = new Map<number, YamuxStream>()
  readonly #waiting: Waiting
  readonly #theirs: number
  #nextId: number
  /** The first stream was the client's. */
  #controlled: boolean | undefined
  /** Whose payload is being parsed; undefined: nobody's, it is dropped. */
  #current: YamuxStream | undefined
  #currentEnds = false
  #awayThere = false
  #awayHere = false
  /** No more frames in either direction. */
  #over = false
  #error: Error | undefined
  #linger: NodeJS.Timeout | undefined

  constructor(link: ByteLink, side: Side, options: YamuxOptions, log: Logger, firstId = side === 'client' ? 1 : 2) {
    this.peer = link.peer
    this.#options = options
    this.#log = log
    this.#nextId = firstId
    this.#theirs = side === 'client' ? 0 : 1
    this.#link = rawOf(link.duplex)
    this.maxWindow = options.maxWindow
    this.memory = new Memory(options.maxSessionBuffer)
    this.#source = new Source(this.memory)
    // Answers to what the other side sends. In good order there are a few per stream.
    this.out = new Outgoing(this.#link, options.frameSize, 1024 + 2 * options.maxStreams, () =>
      this.#die(new RystraError('mux.protocol', { detail: 'it wants answers and does not read them' }))
    )
    this.pulse = new Pulse(this.out, options.keepAliveInterval, options.keepAliveTimeout, (detail) =>
      this.#die(new RystraError('session.timeout', { detail }))
    )
    this.#waiting = new Waiting(options)
    this.#link.onClose = (error) => this.#closed(error)
    // Whoever wraps the link has the rest of this turn to set onStream.
    setImmediate(() => this.#start())
  }

  #start(): void {
    if (this.#link.closed) this.#closed(new Error('closed already'))
    if (this.#over) return
    this.pulse.start()
    this.#link.read(this)
  }

  // StreamLink

  get streams(): number {
    return this.#streams.size - (this.#controlled && this.#streams.has(CONTROL_ID) ? 1 : 0)
  }

  open(signal?: AbortSignal): Promise<Duplex> {
    const refusal = this.#refusal(signal)
    return refusal === undefined ? this.#waiting.turn(() => this.#open().duplex, signal) : Promise.reject(refusal)
  }

  #refusal(signal?: AbortSignal): Error | undefined {
    if (this.#over) return new RystraError('mux.closed', { cause: this.#error })
    if (this.#awayThere) return new RystraError('mux.closed', { detail: 'the other side accepts no more streams' })
    if (signal?.aborted === true) return new RystraError('stream.reset', { detail: 'given up' })
    if (this.#streams.size + this.#waiting.waiters >= this.#options.maxStreams) return new RystraError('stream.limit')
    const used = this.#nextId + 2 * this.#waiting.waiters > MAX_U32
    return used ? new RystraError('mux.closed', { detail: 'all stream ids are used up' }) : undefined
  }

  #open(): YamuxStream {
    const stream = new YamuxStream(this.#nextId, this)
    this.#nextId += 2
    this.#add(stream)
    this.#waiting.opened(stream)
    this.out.frame(Type.windowUpdate, Flag.syn, stream.id, 0)
    return stream
  }

  #add(stream: YamuxStream): void {
    this.#controlled ??= stream.id === CONTROL_ID
    this.#streams.set(stream.id, stream)
  }

  goAway(): void {
    if (this.#awayHere || this.#over) return
    this.#awayHere = true
    this.out.frame(Type.goAway, 0, 0, Reason.normal)
  }

  close(): void {
    if (this.#over) return
    this.#waiting.refuse(new RystraError('mux.closed'))
    for (const stream of this.#streams.values()) stream.reset(new RystraError('mux.closed'))
    this.#leave(Reason.normal, undefined)
  }

  destroy(error?: Error): void {
    this.#die(error)
  }

  /** Says good-bye, and closes when that is out. */
  #leave(reason: number, error: Error | undefined): void {
    if (this.#over) return
    if (reason !== Reason.normal || !this.#awayHere) this.out.frame(Type.goAway, 0, 0, reason)
    this.#stop(error)
    this.#finish()
  }

  /** Ends the link when all is sent. Who does not end it there gets no more than a moment. */
  #finish(): void {
    this.out.finish()
    this.#linger = setTimeout(() => this.#link.reset(), LINGER).unref()
  }

  /** Closes at once. */
  #die(error: Error | undefined): void {
    this.#stop(error)
    this.out.close()
    this.#link.reset()
  }

  #stop(error: Error | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#error = error
    this.#parser.stop()
    this.pulse.stop()
    this.#waiting.stop()
    this.#current = undefined
    const why = new RystraError('mux.closed', { cause: error })
    this.#waiting.refuse(why)
    for (const stream of this.#streams.values()) stream.cut(why)
    this.#streams.clear()
  }

  /** The link is gone. */
  #closed(error: Error | undefined): void {
    const tell = this.onClose
    this.onClose = undefined
    this.#stop(error === undefined ? undefined : new RystraError('mux.closed', { detail: error.message, cause: error }))
    this.out.close()
    clearTimeout(this.#linger)
    tell?.(this.#error)
  }

  #violated(detail: string): void {
    if (this.#over) return
    this.#log.debug({ detail }, 'yamux: the other side broke the rules')
    this.#leave(Reason.protocol, new RystraError('mux.protocol', { detail }))
  }

  // RawReader

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    if (this.#over) return true
    this.pulse.hear()
    this.#source.begin(buffer, shared)
    this.#parser.push(buffer, start, end)
    const verdict = this.#source.end()
    if (this.memory.exceeded) relieve(this.memory, this.#streams)
    this.out.serve()
    return verdict
  }

  onEnd(): void {
    if (this.#over) {
      this.#link.end()
      return
    }
    const clean = this.#parser.clean && (this.#streams.size === 0 || this.#awayThere)
    this.#stop(clean ? undefined : new RystraError('mux.closed', { detail: 'the other side ended the link' }))
    this.#finish()
  }

  // FrameHandler

  onHeader(type: number, flags: number, id: number, length: number): void {
    if (type === Type.data || type === Type.windowUpdate) this.#onStreamFrame(type, flags, id, length)
    else if (type === Type.goAway) this.#onGoAway(length)
    else if ((flags & Flag.syn) !== 0) this.out.frame(Type.ping, Flag.ack, 0, length)
    else this.pulse.answered(length)
  }

  #onStreamFrame(type: number, flags: number, id: number, length: number): void {
    this.#current = undefined
    // No window is ever larger, not even that of a stream which is gone.
    if (type === Type.data && length > Math.max(this.maxWindow, INITIAL_WINDOW)) {
      this.#violated(`a frame of ${length} bytes`)
      return
    }
    if ((flags & Flag.syn) !== 0) this.#accept(id, flags)
    const stream = this.#streams.get(id)
    // Streams that are gone may still get what was on its way.
    if (stream === undefined) return
    if ((flags & Flag.rst) !== 0) {
      stream.cut(new RystraError('stream.reset', { detail: 'by the other side' }))
      return
    }
    this.#waiting.acknowledged(stream)
    if (type === Type.windowUpdate) {
      stream.sending.grant(length)
      if ((flags & Flag.fin) !== 0) stream.ended()
      return
    }
    if (length > 0 && stream.receiving.ended) {
      stream.reset(new RystraError('stream.reset', { detail: 'the other side sent bytes after its end' }))
      return
    }
    if (!stream.receiving.expect(length)) {
      this.#violated(`stream ${id} overran its window`)
      return
    }
    stream.touched = true
    this.#current = stream
    this.#currentEnds = (flags & Flag.fin) !== 0
  }

  #accept(id: number, flags: number): void {
    if (id === 0 || id % 2 !== this.#theirs || this.#streams.has(id)) {
      this.#violated(`it opened stream ${id}${this.#streams.has(id) ? ' twice' : ''}`)
      return
    }
    if ((flags & Flag.rst) !== 0) return
    const { onStream } = this
    if (this.#awayHere || onStream === undefined || this.#streams.size >= this.#options.maxStreams) {
      this.out.frame(Type.windowUpdate, Flag.rst, id, 0)
      return
    }
    const stream = new YamuxStream(id, this)
    this.#add(stream)
    this.out.frame(Type.windowUpdate, Flag.ack, id, 0)
    onStream(stream.duplex)
  }

  #onGoAway(reason: number): void {
    if (reason !== Reason.normal) {
      this.#die(new RystraError('mux.protocol', { detail: `the other side gave up with reason ${reason}` }))
      return
    }
    this.#awayThere = true
    this.#waiting.refuse(new RystraError('mux.closed', { detail: 'the other side accepts no more streams' }))
  }

  onPayload(_buffer: Buffer, start: number, end: number): void {
    this.#current?.receiving.take(this.#source, start, end)
  }

  onDataEnd(): void {
    if (this.#currentEnds) this.#current?.ended()
    this.#current = undefined
  }

  onGarbage(detail: string): void {
    this.#violated(`not yamux: ${detail}`)
  }

  // StreamHost

  halfClosed(stream: YamuxStream): void {
    this.#waiting.halfClosed(stream)
  }

  over(stream: YamuxStream): void {
    this.#streams.delete(stream.id)
    this.#waiting.over(stream)
  }
}
