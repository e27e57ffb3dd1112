import type { RawReader, RawStream } from '@rystra/bytes'
import { RystraError } from '@rystra/plugin'
import { YamuxDuplex } from './duplex.js'
import { Flag, Type } from './frame.js'
import type { Memory } from './memory.js'
import type { Outgoing } from './outgoing.js'
import type { Pulse } from './pulse.js'
import { Receiving, type ReceivingOwner } from './receiving.js'
import { Sending, type SendingOwner } from './sending.js'

/** What all streams of a session have in common. */
export interface StreamHost {
  readonly out: Outgoing
  readonly pulse: Pulse
  readonly memory: Memory
  readonly maxWindow: number
  /** This side has ended the stream, the other has not. */
  halfClosed(stream: YamuxStream): void
  /** The stream is over: its id is free. */
  over(stream: YamuxStream): void
}

/** One stream: two halves, and how they end. Its {@link duplex} is the same stream for those who want Node's. */
export class YamuxStream implements RawStream, SendingOwner, ReceivingOwner {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false

  readonly id: number
  readonly duplex: YamuxDuplex
  readonly sending: Sending
  readonly receiving: Receiving
  /** Bytes came since somebody looked. */
  touched = false

  readonly #host: StreamHost
  #over = false
  #finSent = false

  constructor(id: number, host: StreamHost) {
    this.id = id
    this.#host = host
    this.sending = new Sending(this, host.out)
    this.receiving = new Receiving(this)
    this.duplex = new YamuxDuplex(this)
  }

  // RawStream

  get reader(): RawReader | undefined {
    return this.receiving.reader
  }

  read(reader: RawReader): void {
    // Somebody has read the `Duplex` before: what it has read ahead goes first.
    const takenOver = this.receiving.reader === this.duplex
    if (takenOver) this.receiving.putBack(this.duplex.giveBack())
    this.receiving.read(reader, takenOver)
  }

  unread(bytes: Buffer): void {
    this.receiving.putBack(bytes)
  }

  resume(): void {
    this.receiving.resume()
  }

  pause(): void {
    this.receiving.pause()
  }

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    return this.sending.write(buffer, start, end, shared)
  }

  end(): void {
    this.sending.end()
  }

  reset(error?: Error): void {
    if (this.#over) return
    if (!this.#finSent || !this.receiving.ended) this.#host.out.frame(Type.windowUpdate, Flag.rst, this.id, 0)
    this.#finish(error ?? new RystraError('stream.reset', { detail: 'by this side' }), true)
  }

  // What the session tells

  /** The other side has sent its end. */
  ended(): void {
    if (!this.#over && !this.receiving.ended) this.receiving.end()
  }

  /** The other side has given the stream up, or the session is gone. */
  cut(error: Error): void {
    this.#finish(error, false)
  }

  // What the halves tell

  get memory(): Memory {
    return this.#host.memory
  }

  get maxWindow(): number {
    return this.#host.maxWindow
  }

  roundTrip(now: number): number {
    this.#host.pulse.refresh(now)
    return this.#host.pulse.roundTrip
  }

  credit(bytes: number): void {
    this.#host.out.frame(Type.windowUpdate, 0, this.id, bytes)
  }

  writable(): void {
    if (this.#over) return
    if (this.onWritable !== undefined) this.onWritable()
    else this.duplex.written()
  }

  drained(): void {
    if (this.#over || this.#finSent) return
    this.#finSent = true
    this.#host.out.frame(Type.windowUpdate, Flag.fin, this.id, 0)
    if (!this.receiving.ended) this.#host.halfClosed(this)
    this.progressed()
  }

  progressed(): void {
    const { ended, endTold, unread } = this.receiving
    if (this.#finSent && ended && endTold && unread === 0) this.#finish(undefined, true)
  }

  #finish(error: Error | undefined, later: boolean): void {
    if (this.#over) {
      // Over, and not told yet, while the whole session ends: tell it now.
      if (!later) this.#tell(error)
      return
    }
    this.#over = true
    this.sending.clear()
    this.receiving.clear()
    this.#host.over(this)
    // Whoever gives a stream up is not called back while doing so.
    if (later) queueMicrotask(() => this.#tell(error))
    else this.#tell(error)
  }

  #tell(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.duplex.over(error)
    this.onClose?.(error)
  }
}

/** Too much is unread: gives up the stream that holds the most, until it is not too much any more. */
export const relieve = (memory: Memory, streams: ReadonlyMap<number, YamuxStream>): void => {
  while (memory.exceeded) {
    let fullest: YamuxStream | undefined
    for (const stream of streams.values()) {
      if (stream.receiving.unread > (fullest?.receiving.unread ?? 0)) fullest = stream
    }
    if (fullest === undefined) return
    fullest.reset(new RystraError('stream.limit', { detail: 'too many bytes wait to be read' }))
  }
}
