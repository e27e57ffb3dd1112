import { type ByteLink, type PeerInfo, RystraError, type Side, type StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { away, close, credit, data, end, headerBytes, largestBody, open, reset } from './frame.ts'
import { connectionReset, type FrameHost, FrameStream } from './stream.ts'

/** Milliseconds for the other end to take what was queued when the link is closed. */
const lingerTimeout = 10_000

/** The streams of one link. */
export class FrameLink implements StreamLink, FrameHost {
  readonly kind = 'streams'
  readonly peer: PeerInfo
  onStream: ((stream: Duplex) => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  readonly #duplex: Duplex
  readonly #streams = new Map<number, FrameStream>()
  /** Even at the client, odd at the server, so that both may open. */
  #next: number
  /** The last stream that the other end opened. */
  #opened = 0
  #buffered: Buffer = Buffer.alloc(0)
  #away = false
  #closing = false
  #orderly = false
  #gone = false
  #error: Error | undefined

  constructor({ duplex, peer }: ByteLink, side: Side) {
    this.peer = peer
    this.#duplex = duplex
    this.#next = side === 'server' ? 1 : 2
    duplex.on('data', (chunk: Buffer) => this.#onBytes(chunk))
    duplex.on('error', (error: Error) => {
      this.#error ??= error
    })
    duplex.on('end', () => duplex.end())
    duplex.on('close', () => this.#onGone())
    duplex.resume()
  }

  get streams(): number {
    return this.#streams.size
  }

  async open(signal?: AbortSignal): Promise<Duplex> {
    signal?.throwIfAborted()
    if (this.#away || this.#closing || this.#gone) throw new RystraError('mux.closed')
    const stream = new FrameStream(this, this.#next)
    this.#next += 2
    this.#streams.set(stream.id, stream)
    this.send(open, stream.id)
    return stream
  }

  goAway(): void {
    this.send(away, 0)
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
    // What this end has ended is sent first: bytes of it may wait for credit.
    this.#resetAll((stream) => !stream.writableEnded)
    if (this.#streams.size === 0) this.#finish()
    else setTimeout(() => this.#resetAll(() => true), lingerTimeout).unref()
  }

  #resetAll(which: (stream: FrameStream) => boolean): void {
    for (const stream of [...this.#streams.values()]) if (which(stream)) stream.destroy(connectionReset('this end'))
  }

  destroy(error?: Error): void {
    this.#error ??= error
    this.#duplex.destroy()
  }

  send(type: number, id: number, body: Uint8Array = Buffer.alloc(0), done?: (error?: Error | null) => void): void {
    if (this.#duplex.destroyed || this.#duplex.writableEnded) {
      done?.(connectionReset('the link'))
      return
    }
    const frame = Buffer.alloc(headerBytes + body.length)
    frame.writeUInt32BE(id, 0)
    frame[4] = type
    frame.writeUInt32BE(body.length, 5)
    frame.set(body, headerBytes)
    this.#duplex.write(frame, done)
  }

  /** Tells the other end that a stream is over, unless it knows. */
  resetStream(id: number): void {
    if (this.#streams.has(id)) this.send(reset, id)
  }

  forget(id: number): void {
    if (this.#streams.delete(id) && this.#closing && this.#streams.size === 0) this.#finish()
  }

  #finish(): void {
    this.send(close, 0)
    this.#duplex.end()
  }

  #onBytes(chunk: Buffer): void {
    // A frame may be cut anywhere.
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk])
    while (this.#buffered.length >= headerBytes) {
      const until = headerBytes + this.#buffered.readUInt32BE(5)
      if (until > headerBytes + largestBody) {
        this.#refuse('a frame is too large')
        return
      }
      if (this.#buffered.length < until) return
      const [id, type] = [this.#buffered.readUInt32BE(0), this.#buffered[4] as number]
      const body = Buffer.from(this.#buffered.subarray(headerBytes, until))
      this.#buffered = this.#buffered.subarray(until)
      this.#onFrame(type, id, body)
    }
  }

  #onFrame(type: number, id: number, body: Buffer): void {
    const stream = this.#streams.get(id)
    if (type === open) this.#onOpen(id)
    else if (type === data) {
      // Bytes for a stream that was reset here may still be on their way.
      if (stream?.onBytes(body) === false) this.#refuse('a peer sends more than it may')
    } else if (type === end) stream?.onEnd()
    else if (type === credit && body.length === 4) stream?.onCredit(body.readUInt32BE(0))
    else if (type === away) this.#away = true
    else if (type === close) this.#orderly = this.#away = true
    else if (type === reset) {
      this.#streams.delete(id)
      stream?.destroy(connectionReset('the other end'))
    } else this.#refuse(`there is no frame of type ${type}`)
  }

  #onOpen(id: number): void {
    if (id <= this.#opened || id % 2 === this.#next % 2) {
      this.#refuse('a stream was opened twice')
      return
    }
    this.#opened = id
    if (this.onStream === undefined) {
      this.send(reset, id)
      return
    }
    const stream = new FrameStream(this, id)
    this.#streams.set(id, stream)
    this.onStream(stream)
  }

  #refuse(detail: string): void {
    this.#error ??= new RystraError('mux.protocol', { detail })
    this.#duplex.destroy(this.#error)
  }

  #onGone(): void {
    if (this.#gone) return
    this.#gone = true
    for (const stream of [...this.#streams.values()]) {
      this.#streams.delete(stream.id)
      stream.destroy(connectionReset('the link'))
    }
    this.onClose?.(this.#closing || this.#orderly ? undefined : (this.#error ?? connectionReset('the link')))
  }
}
