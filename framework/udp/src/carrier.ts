import { type DatagramFlow, RystraError, toRystraError } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { FrameDecoder, type FrameEvents, HEADER, MAX_DATAGRAM, writeFrame } from './frames.js'

/** Bytes that wait for a slow stream; what comes then is dropped. A tenth of a second at 80 Mbit/s. */
const QUEUE = 1024 * 1024

/** Bytes at which it is not worth waiting for more of the same turn. */
const BATCH = 128 * 1024

/** Milliseconds the other side has to end as well. */
const END_TIMEOUT = 5000

/** Bytes in front of a datagram in a flow: its session. */
const PREFIX = 4

/** Datagrams after which it is asked again how large one may be in the flow: a path may change. */
const ASK_EVERY = 64

/** What carries the datagrams of many sessions: `OpenedStream`, or the stream and datagrams of a `ReachHost`. */
export interface Carries {
  readonly stream: Duplex
  readonly datagrams?: DatagramFlow | undefined
}

/** What happens at one end of a {@link Carrier}. */
export interface CarrierEvents extends FrameEvents {
  /** Called once. `error` is absent when the other side ended in good order. */
  onClose(error?: RystraError): void
}

/**
 * Carries datagrams of many sessions between the two halves of a kind: in the flow of datagrams, if there is one and
 * they fit, otherwise in the stream. What a slow stream cannot take is dropped, newest first, as UDP does.
 */
export class Carrier {
  readonly #stream: Duplex
  readonly #flow: DatagramFlow | undefined
  readonly #events: CarrierEvents
  #sessions: number[] = []
  #datagrams: (Buffer | undefined)[] = []
  #bytes = 0
  #scheduled = false
  #blocked = false
  #ended = false
  #closed = false
  #error: RystraError | undefined
  #out: Buffer = Buffer.allocUnsafeSlow(2048)
  #fits: number
  #untilAsk = ASK_EVERY

  constructor({ stream, datagrams }: Carries, events: CarrierEvents) {
    this.#stream = stream
    this.#flow = datagrams
    this.#events = events
    this.#fits = this.#largest()
    const decoder = new FrameDecoder(events)
    stream.on('data', (chunk: Buffer) => {
      if (this.#closed) return
      try {
        decoder.push(chunk)
      } catch (error) {
        this.destroy(toRystraError(error))
      }
    })
    stream.on('drain', () => {
      this.#blocked = false
      this.#flush()
    })
    stream.on('end', () => this.close())
    stream.on('error', (error) => {
      this.#error ??= toRystraError(error, 'stream.reset')
    })
    stream.once('close', () => this.#over())
    if (datagrams !== undefined) {
      datagrams.onMessage = (message) => {
        if (this.#closed || message.length < PREFIX) return
        // The message is lent: it may have to wait for its socket.
        events.onDatagram(message.readUInt32BE(0), Buffer.from(message.subarray(PREFIX)))
      }
    }
    if (stream.destroyed) queueMicrotask(() => this.#over())
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Sends a datagram, whose memory is given up by the caller. `false` when it was dropped at once.
   */
  send(session: number, datagram: Buffer): boolean {
    if (this.#closed || this.#ended || datagram.length > MAX_DATAGRAM) return false
    if (this.#flow !== undefined) {
      this.#untilAsk -= 1
      if (this.#untilAsk === 0) this.#fits = this.#largest()
      if (datagram.length <= this.#fits) {
        if (this.#sendInFlow(session, datagram)) return true
        this.#fits = this.#largest()
        if (datagram.length <= this.#fits) return false
      }
    }
    return this.#queue(session, datagram, QUEUE)
  }

  /** Tells the other side that a session is over. */
  closeSession(session: number): void {
    // Some room is kept for these: where even that is used up, the other side finds out by itself.
    if (!this.#closed && !this.#ended) this.#queue(session, undefined, QUEUE + BATCH)
  }

  #largest(): number {
    this.#untilAsk = ASK_EVERY
    return this.#flow === undefined ? -1 : this.#flow.maxSize - PREFIX
  }

  #sendInFlow(session: number, datagram: Buffer): boolean {
    const size = PREFIX + datagram.length
    if (size > this.#out.length) this.#out = Buffer.allocUnsafeSlow(size)
    const out = this.#out
    out[0] = session >>> 24
    out[1] = session >>> 16
    out[2] = session >>> 8
    out[3] = session
    out.set(datagram, PREFIX)
    return (this.#flow as DatagramFlow).send(out.subarray(0, size))
  }

  #queue(session: number, datagram: Buffer | undefined, limit: number): boolean {
    const size = HEADER + (datagram?.length ?? 0)
    if (this.#bytes + size > limit) return false
    this.#sessions.push(session)
    this.#datagrams.push(datagram)
    this.#bytes += size
    if (this.#blocked) return true
    if (this.#bytes >= BATCH) this.#flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(this.#flushLater)
    }
    return true
  }

  readonly #flushLater = (): void => {
    this.#scheduled = false
    this.#flush()
  }

  /** Everything that waits goes in one write. */
  #flush(): void {
    if (this.#closed || this.#blocked || this.#bytes === 0) return
    const batch = Buffer.allocUnsafe(this.#bytes)
    let at = 0
    for (let index = 0; index < this.#sessions.length; index += 1) {
      at = writeFrame(batch, at, this.#sessions[index] as number, this.#datagrams[index])
    }
    this.#sessions = []
    this.#datagrams = []
    this.#bytes = 0
    this.#blocked = !this.#stream.write(batch)
  }

  /** Sends what waits, and ends. */
  close(): void {
    if (this.#closed || this.#ended) return
    this.#blocked = false
    this.#flush()
    this.#ended = true
    this.#stream.end()
    const timer = setTimeout(() => this.#stream.destroy(), END_TIMEOUT).unref()
    this.#stream.once('close', () => clearTimeout(timer))
  }

  /** Resets the stream. */
  destroy(error?: RystraError): void {
    this.#error ??= error ?? new RystraError('stream.reset')
    this.#stream.destroy()
    this.#over()
  }

  #over(): void {
    if (this.#closed) return
    this.#closed = true
    this.#sessions = []
    this.#datagrams = []
    this.#bytes = 0
    this.#flow?.close()
    const clean = this.#ended && this.#stream.readableEnded
    this.#events.onClose(this.#error ?? (clean ? undefined : new RystraError('stream.reset')))
  }
}
