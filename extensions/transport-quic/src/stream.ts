import { type FacedStream, RawFace, type RawReader } from '@rystra/bytes'
import { RystraError } from '@rystra/plugin'
import { type QuicheConnection, READ, WRITE } from './binding.js'
import { Reset } from './errors.js'
import { borrow } from './scratch.js'

/** Bytes that one stream reads per turn. */
export const SHARE = 512 * 1024

const NOTHING = Buffer.alloc(0)

/** What all streams of a link share. */
export interface StreamHost {
  readonly connection: QuicheConnection
  /** Data is pending in either direction. */
  wake(): void
  /** quiche did not accept all data of the stream. */
  blocked(stream: QuicStream): void
  /** This side no longer reads the stream, or has paused. */
  idle(stream: QuicStream): void
  read(bytes: number): void
  /** The end was sent without data, after `size` bytes. */
  ended(stream: QuicStream, size: number): void
  /** It was reset after the end of the peer. */
  resetAfterEnd(stream: QuicStream): void
  over(stream: QuicStream): void
}

/** A QUIC stream. {@link duplex} is the same stream as a Node `Duplex`. */
export class QuicStream implements FacedStream {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false

  readonly id: number
  readonly duplex: RawFace
  readonly #host: StreamHost
  #reader: RawReader | undefined
  #paused = false
  #ended = false
  #endReported = false
  /** Received bytes, and the position of the end if a signal announced it. */
  #received = 0
  #endsAt = Number.POSITIVE_INFINITY
  #sent = 0
  /** Bytes put back by readers. */
  #back: Buffer[] = []
  /** Data that quiche has not accepted yet. */
  #queue: Buffer[] = []
  #ending = false
  #finSent = false
  #over = false

  constructor(id: number, host: StreamHost) {
    this.id = id
    this.#host = host
    this.duplex = new RawFace(this, { givesMemory: true })
  }

  /** It has unread data and no active reader. */
  get paused(): boolean {
    return !this.#over && !this.#ended && (this.#paused || this.#reader === undefined)
  }

  /** The peer has ended it, this side has not. */
  get halfClosed(): boolean {
    return this.#ended && !this.#finSent && !this.#over
  }

  // Reading

  get reader(): RawReader | undefined {
    return this.#reader
  }

  read(reader: RawReader): void {
    // Bytes buffered by the `Duplex` come first.
    if (this.#reader === this.duplex && reader !== this.duplex) this.unread(this.duplex.giveBack())
    this.#reader = reader
    this.resume()
  }

  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#back.unshift(bytes)
  }

  resume(): void {
    this.#paused = false
    if (this.#over) return
    if (this.#back.length > 0 || (this.#ended && !this.#endReported)) setImmediate(() => this.readable())
    this.#host.wake()
  }

  pause(): void {
    this.#paused = true
  }

  /** Hands on received bytes, at max `max`. */
  readable(max = SHARE): number {
    let left = max
    while (left > 0 && !this.#over && !this.#paused && this.#reader !== undefined) {
      const back = this.#back.shift()
      if (back !== undefined) {
        if (this.#reader.onBytes(back, 0, back.length, false) === false) this.#paused = true
        continue
      }
      if (this.#ended || this.#received >= this.#endsAt) {
        this.#ended = true
        this.#reportEnd()
        break
      }
      const read = borrow((memory) => this.#receive(memory.length > left ? memory.subarray(0, left) : memory))
      if (read < 0) break
      left -= read
    }
    return max - left
  }

  /** One read. -1: nothing to read. */
  #receive(memory: Buffer): number {
    const { connection } = this.#host
    let got: ReturnType<QuicheConnection['streamRecv']>
    try {
      got = connection.streamRecv(this.id, memory)
    } catch {
      this.cutByPeer()
      return -1
    }
    if (got === null) return -1
    const [length, end] = got
    if (end) this.#ended = true
    if (length > 0) {
      this.#received += length
      this.#host.read(length)
      if (this.#reader?.onBytes(memory, 0, length, true) === false) this.#paused = true
    }
    return length
  }

  /** The peer has ended it after `size` bytes, whether its FIN arrives or not. */
  endsAt(size: number): void {
    this.#endsAt = size
    this.readable()
  }

  #reportEnd(): void {
    if (this.#endReported) return
    this.#endReported = true
    if (!this.#finSent) this.#host.idle(this)
    this.#reader?.onEnd()
    this.#progressed()
  }

  // Writing

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    if (this.#over || this.#ending) return true
    let at = start
    if (this.#queue.length === 0) {
      at += this.#offer(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end), false)
      if (at === end || this.#over) return true
    }
    const rest = buffer.subarray(at, end)
    this.#queue.push(shared ? Buffer.from(rest) : rest)
    this.#host.blocked(this)
    return false
  }

  end(): void {
    if (this.#ending || this.#over) return
    this.#ending = true
    if (this.#queue.length === 0) this.#finish()
  }

  /** quiche may accept more data. @returns whether it did */
  writable(): boolean {
    let took = false
    while (this.#queue.length > 0) {
      const first = this.#queue[0] as Buffer
      const last = this.#ending && this.#queue.length === 1
      const taken = this.#offer(first, last)
      if (this.#over) return true
      took ||= taken > 0
      if (taken < first.length) {
        this.#queue[0] = first.subarray(taken)
        return took
      }
      this.#queue.shift()
      if (last) this.#finSent = true
    }
    if (this.#ending) this.#finish()
    if (this.onWritable !== undefined) this.onWritable()
    else this.duplex.written()
    return true
  }

  /** Bytes that wait for quiche. */
  get queued(): number {
    return this.#queue.reduce((sum, { length }) => sum + length, 0)
  }

  /** Whether data waits for quiche. */
  get waiting(): boolean {
    return this.#queue.length > 0
  }

  #offer(bytes: Buffer, end: boolean): number {
    try {
      const taken = this.#host.connection.streamSend(this.id, bytes, end) ?? 0
      this.#sent += taken
      // Without progress a packet of the peer wakes the link: to try again in each turn would keep a core busy.
      if (taken > 0 || end) this.#host.wake()
      return taken
    } catch {
      this.cutByPeer()
      return 0
    }
  }

  #finish(): void {
    if (this.#over) return
    if (!this.#finSent) {
      this.#finSent = true
      this.#offer(NOTHING, true)
      if (!this.#over) this.#host.ended(this, this.#sent)
    }
    this.#progressed()
  }

  /** Checks whether the peer has stopped reading. */
  probe(): void {
    try {
      this.#host.connection.streamCapacity(this.id)
    } catch {
      this.cutByPeer()
    }
  }

  // The end

  reset(error?: Error, code: number = Reset.aborted): void {
    if (this.#over) return
    this.#shut(code)
    if (this.#ended) this.#host.resetAfterEnd(this)
    this.#leave(error ?? new RystraError('stream.reset', { detail: 'by this end' }), true)
  }

  /** The link is closed. */
  cut(error: Error): void {
    this.#leave(error, false)
  }

  /** The peer has reset it. */
  cutByPeer(): void {
    if (this.#over) return
    this.#shut(Reset.aborted)
    this.#leave(new RystraError('stream.reset', { detail: 'by the peer' }), true)
  }

  #shut(code: number): void {
    shut(this.#host.connection, this.id, code)
    this.#host.wake()
  }

  #progressed(): void {
    if (this.#finSent && this.#endReported) this.#leave(undefined, true)
  }

  #leave(error: Error | undefined, later: boolean): void {
    if (this.#over) {
      if (!later) this.#report(error)
      return
    }
    this.#over = true
    this.#queue = []
    this.#back = []
    this.#host.over(this)
    // The caller of `reset` is not called back synchronously.
    if (later) queueMicrotask(() => this.#report(error))
    else this.#report(error)
  }

  #report(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.duplex.over(error)
    this.onClose?.(error)
  }
}

/** Resets both directions. */
export const shut = (connection: QuicheConnection, id: number, code: number): void => {
  for (const half of [READ, WRITE] as const) {
    try {
      connection.streamShutdown(id, half, code)
    } catch {
      // That direction has ended.
    }
  }
}
