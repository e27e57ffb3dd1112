import { type DatagramFlow, RystraError, toRystraError } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { FrameBatch } from './frame-batch.js'
import { FrameDecoder, type FrameEvents, HEADER_BYTES, MAX_DATAGRAM_BYTES } from './frames.js'

/** Bytes queued for a slow stream; further datagrams are dropped. A tenth of a second at 80 Mbit/s. */
const MAX_QUEUE_BYTES = 1024 * 1024

/** Queued bytes that are flushed before the end of the turn. */
const BATCH_BYTES = 128 * 1024

/** Time for the peer to end the stream. */
const END_TIMEOUT_MS = 5000

/** Size of the session id in front of a datagram in a flow. */
const PREFIX_BYTES = 4

/** Datagrams after which the maximum size of the flow is queried again: a path may change. */
const SIZE_CHECK_INTERVAL = 64

/** What a {@link Carrier} runs on: `OpenedStream`, or the stream and datagrams of a `ReachHost`. */
export interface CarrierStream {
  readonly stream: Duplex
  readonly datagrams?: DatagramFlow | undefined
}

/** What arrives from the other half, and what does not leave. */
export interface DatagramEvents extends FrameEvents {
  /** Queued datagrams were dropped with the stream. */
  onLost(datagrams: number): void
}

/** Events of a {@link Carrier}. */
export interface CarrierEvents extends DatagramEvents {
  /** Called once, without `error` after an orderly end. */
  onClose(error?: RystraError): void
}

/**
 * CarrierStream datagrams of many sessions between the two halves of a kind: in the flow of datagrams, if there is one and
 * they fit, otherwise in the stream. What a slow stream cannot take is dropped, newest first, as UDP does.
 */
export class Carrier {
  readonly #stream: Duplex
  readonly #flow: DatagramFlow | undefined
  readonly #events: CarrierEvents
  readonly #frames = new FrameBatch()
  #scheduled = false
  #blocked = false
  #ended = false
  #closed = false
  #error: RystraError | undefined
  #out: Buffer = Buffer.allocUnsafeSlow(2048)
  #maxInFlow: number
  #untilSizeCheck = SIZE_CHECK_INTERVAL

  constructor({ stream, datagrams }: CarrierStream, events: CarrierEvents) {
    this.#stream = stream
    this.#flow = datagrams
    this.#events = events
    this.#maxInFlow = this.#queryMaxSize()
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
    stream.once('close', () => this.#onClosed())
    if (datagrams !== undefined) {
      datagrams.onMessage = (message) => {
        if (this.#closed || message.length < PREFIX_BYTES) return
        // The message is lent, and may have to wait for its socket.
        events.onDatagram(message.readUInt32BE(0), Buffer.from(message.subarray(PREFIX_BYTES)))
      }
    }
    if (stream.destroyed) queueMicrotask(() => this.#onClosed())
  }

  /** Sends a copy of a datagram. `false` if it was dropped at once. */
  send(session: number, datagram: Buffer): boolean {
    if (this.#closed || this.#ended || datagram.length > MAX_DATAGRAM_BYTES) return false
    if (this.#flow !== undefined) {
      this.#untilSizeCheck -= 1
      if (this.#untilSizeCheck === 0) this.#maxInFlow = this.#queryMaxSize()
      if (datagram.length <= this.#maxInFlow) {
        if (this.#sendInFlow(session, datagram)) return true
        this.#maxInFlow = this.#queryMaxSize()
        if (datagram.length <= this.#maxInFlow) return false
      }
    }
    return this.#queue(session, datagram, MAX_QUEUE_BYTES)
  }

  /** Tells the peer that a session has ended. */
  closeSession(session: number): void {
    // Reserves room for these: without it the peer finds out by its own timeout.
    if (!this.#closed && !this.#ended) this.#queue(session, undefined, MAX_QUEUE_BYTES + BATCH_BYTES)
  }

  #queryMaxSize(): number {
    this.#untilSizeCheck = SIZE_CHECK_INTERVAL
    return this.#flow === undefined ? -1 : this.#flow.maxSize - PREFIX_BYTES
  }

  #sendInFlow(session: number, datagram: Buffer): boolean {
    const size = PREFIX_BYTES + datagram.length
    if (size > this.#out.length) this.#out = Buffer.allocUnsafeSlow(size)
    const out = this.#out
    out[0] = session >>> 24
    out[1] = session >>> 16
    out[2] = session >>> 8
    out[3] = session
    out.set(datagram, PREFIX_BYTES)
    return (this.#flow as DatagramFlow).send(out.subarray(0, size))
  }

  #queue(session: number, datagram: Buffer | undefined, limit: number): boolean {
    const size = HEADER_BYTES + (datagram?.length ?? 0)
    if (this.#frames.bytes + size > limit) return false
    this.#frames.add(session, datagram, size)
    if (this.#blocked) return true
    if (this.#frames.bytes >= BATCH_BYTES) this.#flush()
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

  /** Writes all queued datagrams at once. */
  #flush(): void {
    if (!this.#closed && !this.#blocked && this.#frames.bytes > 0)
      this.#blocked = !this.#stream.write(this.#frames.take())
  }

  /** Sends queued datagrams and ends the stream. */
  close(): void {
    if (this.#closed || this.#ended) return
    this.#blocked = false
    this.#flush()
    this.#ended = true
    this.#stream.end()
    const timer = setTimeout(() => this.#stream.destroy(), END_TIMEOUT_MS).unref()
    this.#stream.once('close', () => clearTimeout(timer))
  }

  /** Resets the stream. */
  destroy(error?: RystraError): void {
    this.#error ??= error ?? new RystraError('stream.reset')
    this.#stream.destroy()
    this.#onClosed()
  }

  #onClosed(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#frames.datagrams > 0) this.#events.onLost(this.#frames.datagrams)
    this.#frames.clear()
    this.#flow?.close()
    const clean = this.#ended && this.#stream.readableEnded
    this.#events.onClose(this.#error ?? (clean ? undefined : new RystraError('stream.reset')))
  }
}
