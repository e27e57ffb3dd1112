import type { Detached, Offloaded, RawReader, RawStream } from '@rystra/bytes'
import { type JoinedOpening, RystraError } from '@rystra/plugin'
import { YamuxDuplex } from './duplex.js'
import { Flag, Type } from './frame.js'
import { Joined, type JoinedOwner } from './joined.js'
import type { Memory } from './memory.js'
import type { NativeLink } from './native-link.js'
import type { Outgoing } from './outgoing.js'
import type { KeepAlive } from './keep-alive.js'
import { Receiving, type ReceivingOwner } from './receiving.js'
import { Sending, type SendingOwner } from './sending.js'

/** What all streams of a session share. */
export interface StreamHost {
  readonly out: Outgoing
  readonly keepAlive: KeepAlive
  readonly memory: Memory
  readonly maxWindow: number
  /** The link, where the native part reads it. */
  readonly native: NativeLink | undefined
  /** Streams that the peer has not acknowledged. */
  readonly pending: { isOpening(stream: YamuxStream): boolean; acknowledged(stream: YamuxStream): void }
  /** Leaves the rest of its present frame to the native part. */
  handedOver(stream: YamuxStream): void
  /** This side has sent all data and the end of the stream. */
  sent(stream: YamuxStream): void
  /** The stream is closed: its id is free. */
  over(stream: YamuxStream): void
}

/** A stream: its sending and receiving side, and its end. {@link YamuxStream.duplex} is the same stream as a Node `Duplex`. */
export class YamuxStream implements RawStream, SendingOwner, ReceivingOwner, JoinedOwner {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false

  readonly id: number
  readonly sending: Sending
  readonly receiving: Receiving
  /** Data was received since the last check, see {@link heard}. */
  touched = false

  readonly #host: StreamHost
  #over = false
  #joined: Joined | undefined
  #duplex: YamuxDuplex | undefined
  #finSent = false
  /** Why the session has ended before this side had ended the stream; reported once all data is read. */
  #lost: Error | undefined

  constructor(id: number, host: StreamHost) {
    this.id = id
    this.#host = host
    this.sending = new Sending(this, host.out)
    this.receiving = new Receiving(this)
  }

  /** Made when it is asked for: what is relayed needs none. */
  get duplex(): YamuxDuplex {
    if (this.#duplex === undefined) {
      this.#duplex = new YamuxDuplex(this)
      if (this.closed) this.#duplex.over(undefined)
    }
    return this.#duplex
  }

  // RawStream

  get reader(): RawReader | undefined {
    return this.receiving.reader
  }

  read(reader: RawReader): void {
    // Data buffered by the `Duplex` comes first.
    const duplex = this.#duplex
    const takenOver = duplex !== undefined && this.receiving.reader === duplex
    if (takenOver) this.receiving.putBack(duplex.giveBack())
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
    this.#finish(error ?? new RystraError('stream.reset', { detail: 'by this end' }), true)
  }

  get offload(): RawStream['offload'] {
    const { native } = this.#host
    return native === undefined ? undefined : (socket, head) => this.#offload(native, socket, head)
  }

  /** Joins a stream that is new. `undefined`: it could not. */
  openJoined(link: NativeLink, socket: Detached, opening: JoinedOpening): Offloaded | undefined {
    this.#joined = Joined.opening(this, link, socket, opening)
    return this.#joined
  }

  #offload(link: NativeLink, socket: Detached, head: Buffer | undefined): Offloaded | undefined {
    if (this.#over || this.#joined !== undefined || this.endedHere || !this.#host.out.settle()) return undefined
    this.receiving.release()
    this.#joined = Joined.of(this, link, socket, !this.#host.pending.isOpening(this), head)
    if (this.#joined !== undefined) this.#host.handedOver(this)
    return this.#joined
  }

  acknowledged(): void {
    this.#host.pending.acknowledged(this)
  }

  endSent(): void {
    this.#finSent = true
    this.#host.sent(this)
  }

  joinedOver(error: Error | undefined): void {
    if (error === undefined) this.receiving.endReported = true
    this.#finish(error ?? this.#lost, true)
  }

  // What the session tells

  /** The peer has sent its end. */
  ended(): void {
    if (!this.#over && !this.receiving.ended) this.receiving.end()
  }

  /** The peer has reset the stream, or the session has ended. */
  cut(error: Error): void {
    this.#finish(error, false)
  }

  /** The session has ended cleanly: what the peer has sent and ended is still read. */
  leave(error: Error): void {
    if (this.#over || !this.receiving.ended) {
      this.cut(error)
      return
    }
    if (!this.#finSent) this.#lost = error
    this.#finSent = true
    this.sending.clear()
    this.#host.over(this)
    this.#joined?.leave()
    this.progressed()
  }

  /** Received bytes that wait for the reader, or for the joined socket. */
  get waiting(): number {
    return this.#joined?.waiting ?? this.receiving.unread
  }

  /** Whether bytes to be sent wait for the window of the peer. */
  get blocked(): boolean {
    return this.#joined?.blocked ?? (this.sending.waiting > 0 && !this.sending.ready)
  }

  /** Bytes that the peer may send. */
  get granted(): number {
    const { ended, credit } = this.receiving
    return ended || this.#joined === undefined ? credit : this.#joined.credit
  }

  /** This side has ended the stream; some of its data may still be queued. */
  get endedHere(): boolean {
    return this.#finSent || this.sending.ended || this.#duplex?.writableEnded === true
  }

  /** Whether data was received since the last call. */
  heard(): boolean {
    const heard = this.touched || this.#joined?.heard() === true
    this.touched = false
    return heard
  }

  /** All data and the end were sent. */
  get sent(): boolean {
    return this.#finSent
  }

  // What the halves tell

  get memory(): Memory {
    return this.#host.memory
  }

  get maxWindow(): number {
    return this.#host.maxWindow
  }

  roundTrip(now: number): number {
    this.#host.keepAlive.refresh(now)
    return this.#host.keepAlive.roundTrip
  }

  credit(bytes: number): void {
    this.#host.out.frame(Type.windowUpdate, 0, this.id, bytes)
  }

  writable(): void {
    if (this.#over) return
    if (this.onWritable !== undefined) this.onWritable()
    else this.#duplex?.written()
  }

  drained(): void {
    if (this.#over || this.#finSent) return
    this.#finSent = true
    this.#host.out.frame(Type.windowUpdate, Flag.fin, this.id, 0)
    this.#host.sent(this)
    this.progressed()
  }

  progressed(): void {
    if (this.#joined !== undefined) return
    const { ended, endReported, unread } = this.receiving
    if (this.#finSent && ended && endReported && unread === 0) this.#finish(this.#lost, true)
  }

  #finish(error: Error | undefined, later: boolean): void {
    if (this.#over) {
      // Closed but not reported yet when the whole session ends: report now.
      if (!later) this.#report(error)
      return
    }
    this.#over = true
    this.#joined?.drop()
    this.sending.clear()
    this.receiving.clear()
    this.#host.over(this)
    // The caller of `reset` is not called back synchronously.
    // An error must not overtake the end that the reader was given.
    if (later && this.#lost !== undefined) setImmediate(() => this.#report(error))
    else if (later) queueMicrotask(() => this.#report(error))
    else this.#report(error)
  }

  #report(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.#duplex?.over(error)
    this.onClose?.(error)
  }
}

/** Resets the stream with the most unread data until the limit is respected. */
export const enforceLimit = (memory: Memory, streams: ReadonlyMap<number, YamuxStream>): void => {
  while (memory.exceeded) {
    let [fullest, most]: [YamuxStream | undefined, number] = [undefined, 0]
    for (const stream of streams.values()) {
      const { waiting } = stream
      if (waiting > most) [fullest, most] = [stream, waiting]
    }
    if (fullest === undefined) return
    fullest.reset(new RystraError('stream.limit', { detail: 'too many unread bytes' }))
  }
}
