import {
  type Detached,
  HEADROOM,
  KEEP,
  type RawReader,
  type RawStream,
  rawOf,
  SLAB_SIZE,
  takeSlab
} from '@rystra/bytes'
import { BatchedLink, errnoError, type JoinedState, type LinkEvents } from '@rystra/native'
import type { Duplex } from 'node:stream'
import type { YamuxOptions } from './options.js'

/** What a session needs of its link. */
export type Link = Pick<RawStream, 'write' | 'end' | 'reset' | 'read' | 'onWritable' | 'onClose' | 'closed'>

/** A stream whose bytes do not cross into JavaScript. */
export interface JoinedStream {
  acknowledged(): void
  ready(): void
  answered(): void
  endSent(): void
  endReceived(): void
  /** @param reason see `LinkEvents.onOver` */
  joinedOver(reason: number, sent: number, received: number): void
}

const memory = (): Buffer => takeSlab() ?? Buffer.allocUnsafeSlow(HEADROOM + SLAB_SIZE)

/** A link that the native part reads and writes. */
export class NativeLink implements Link, LinkEvents {
  onWritable: () => void = () => {}
  onClose: ((error?: Error) => void) | undefined
  closed = false
  readonly #socket: Detached
  readonly #link: BatchedLink
  #joined: Map<number, JoinedStream> | undefined
  readonly #violated: (detail: string) => void
  #reader: RawReader | undefined

  private constructor(raw: RawStream, socket: Detached, link: BatchedLink, violated: (detail: string) => void) {
    this.#violated = violated
    this.#socket = socket
    this.#link = link
    raw.onClose = (error) => this.#closed(error)
  }

  /** `undefined` where it stays with JavaScript. @param violated the peer has violated the protocol */
  static of(
    duplex: Duplex,
    { frameSize, maxWindow, maxSessionBuffer: maxBuffer }: YamuxOptions,
    shared: Float64Array<ArrayBuffer>,
    violated: (detail: string) => void
  ): NativeLink | undefined {
    const raw = rawOf(duplex)
    const socket = raw.closed ? undefined : raw.detach?.(true)
    if (socket === undefined) return undefined
    const link = BatchedLink.open(socket.fd, { frameSize, maxWindow, maxBuffer }, memory, shared, socket.tls)
    if (link !== undefined) return new NativeLink(raw, socket, link, violated)
    socket.attach()
    return undefined
  }

  read(reader: RawReader): void {
    this.#reader = reader
    this.#link.start(this, this.#socket.pending)
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    return this.closed || this.#link.write(buffer, start, end)
  }

  end(): void {
    if (!this.closed) this.#link.end()
  }

  reset(): void {
    if (this.closed) return
    this.closed = true
    this.#link.close(true)
    this.#socket.over(new Error('reset by this side'))
  }

  /** The session resets its streams first, whose numbers are known until then. */
  #closed(error: Error | undefined): void {
    const reported = this.closed
    this.closed = true
    this.onClose?.(error)
    if (!reported) this.#link.close(error !== undefined)
    this.#forget()
  }

  #forget(): void {
    if (this.closed && (this.#joined?.size ?? 0) === 0) this.#link.forget()
  }

  // Joined streams

  join(id: number, socket: Detached, stream: JoinedStream, state: JoinedState): boolean {
    if (this.closed || !this.#link.join(id, socket.fd, state)) return false
    this.#add(id, socket, stream)
    return true
  }

  /** Opens a stream that is joined from its beginning on. */
  open(id: number, socket: Detached, stream: JoinedStream, head: Buffer, answer: Buffer): boolean {
    const owned = socket.give !== undefined
    if (this.closed || !this.#link.open(id, socket.fd, owned, head, answer)) return false
    this.#add(id, socket, stream)
    return true
  }

  #add(id: number, socket: Detached, stream: JoinedStream): void {
    socket.give?.()
    this.#joined ??= new Map()
    this.#joined.set(id, stream)
  }

  answer(id: number): Buffer {
    return this.#link.answer(id)
  }

  accept(id: number, bytes: number): void {
    this.#link.accept(id, bytes)
  }

  drop(id: number): void {
    this.#link.drop(id)
    this.#joined?.delete(id)
    this.#forget()
  }

  leave(id: number): void {
    this.#link.leave(id)
  }

  stats(id: number): Float64Array {
    return this.#link.stats(id)
  }

  // LinkEvents

  onFrames(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    return this.#reader?.onBytes(buffer, start, end, shared) === KEEP
  }

  onEnd(): void {
    this.#reader?.onEnd()
  }

  onLost(errno: number): void {
    const { reason } = this.#link
    const error = errno === 0 ? undefined : errnoError(errno)
    if (error !== undefined && reason !== '') error.message = `TLS: ${reason}`
    this.#socket.over(error)
  }

  onViolation(id: number, syn: boolean): void {
    this.#violated(syn ? `peer opened stream ${id} twice` : `stream ${id} exceeded its window`)
  }

  onAcknowledged(id: number): void {
    this.#joined?.get(id)?.acknowledged()
  }

  onReady(id: number): void {
    this.#joined?.get(id)?.ready()
  }

  onAnswer(id: number): void {
    this.#joined?.get(id)?.answered()
  }

  onEndSent(id: number): void {
    this.#joined?.get(id)?.endSent()
  }

  onEndReceived(id: number): void {
    this.#joined?.get(id)?.endReceived()
  }

  onOver(id: number, reason: number, sent: number, received: number): void {
    const stream = this.#joined?.get(id)
    this.#joined?.delete(id)
    stream?.joinedOver(reason, sent, received)
    this.#forget()
  }
}
