import { type FacedStream, RawFace, type RawReader } from '@rystra/bytes'
import { RystraError } from '@rystra/plugin'
import { type QuicheConnection, READ, WRITE } from './binding.js'
import { Reset } from './errors.js'
import { borrow } from './scratch.js'

/** Bytes one stream may read while others wait. */
export const SHARE = 512 * 1024

const NOTHING = Buffer.alloc(0)

/** What all streams of a link have in common. */
export interface StreamHost {
  readonly connection: QuicheConnection
  /** There is something to send, or to read. */
  wake(): void
  /** The stream has more to send than quiche takes now. */
  blocked(stream: QuicStream): void
  /** This side reads nothing more of it and may still write, or has stopped reading for the moment. */
  idle(stream: QuicStream): void
  read(bytes: number): void
  /** An end is on its way that no bytes go with, after so many of them. */
  ended(stream: QuicStream, size: number): void
  /** It is given up after the other side has ended it. */
  gaveUp(stream: QuicStream): void
  over(stream: QuicStream): void
}

/** One stream of QUIC. Its {@link duplex} is the same one for those who want Node's. */
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
  #endTold = false
  /** Bytes that came, and after how many of them the end is, if the other side has said so besides. */
  #received = 0
  #endsAt = Number.POSITIVE_INFINITY
  #sent = 0
  /** Bytes that were put back. */
  #back: Buffer[] = []
  /** What quiche has not taken yet. */
  #queue: Buffer[] = []
  #ending = false
  #finSent = false
  #over = false

  constructor(id: number, host: StreamHost) {
    this.id = id
    this.#host = host
    this.duplex = new RawFace(this, { givesMemory: true })
  }

  /** Somebody has to read it, and does not. */
  get paused(): boolean {
    return !this.#over && !this.#ended && (this.#paused || this.#reader === undefined)
  }

  /** The other side has ended it, and this side has not. */
  get halfClosed(): boolean {
    return this.#ended && !this.#finSent && !this.#over
  }

  // Reading

  get reader(): RawReader | undefined {
    return this.#reader
  }

  read(reader: RawReader): void {
    // Somebody has read the `Duplex` before: what it has read ahead goes first.
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
    if (this.#back.length > 0 || (this.#ended && !this.#endTold)) setImmediate(() => this.readable())
    this.#host.wake()
  }

  pause(): void {
    this.#paused = true
  }

  /** Hands on what there is, no more than `most` bytes of it. */
  readable(most = SHARE): number {
    let left = most
    while (left > 0 && !this.#over && !this.#paused && this.#reader !== undefined) {
      const back = this.#back.shift()
      if (back !== undefined) {
        if (this.#reader.onBytes(back, 0, back.length, false) === false) this.#paused = true
        continue
      }
      if (this.#ended || this.#received >= this.#endsAt) {
        this.#ended = true
        this.#tellEnd()
        break
      }
      const read = borrow((memory) => this.#receive(memory.length > left ? memory.subarray(0, left) : memory))
      if (read < 0) break
      left -= read
    }
    return most - left
  }

  /** One read. -1: there is nothing to read. */
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

  /** The other side has ended it after so many bytes, whether its end gets through or not. */
  endsAt(size: number): void {
    this.#endsAt = size
    this.readable()
  }

  #tellEnd(): void {
    if (this.#endTold) return
    this.#endTold = true
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

  /** quiche may take more now. @returns whether it took anything */
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

  /** Whether quiche has not taken all yet. */
  get waiting(): boolean {
    return this.#queue.length > 0
  }

  #offer(bytes: Buffer, end: boolean): number {
    this.#host.wake()
    try {
      const taken = this.#host.connection.streamSend(this.id, bytes, end) ?? 0
      this.#sent += taken
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

  /** Looks whether the other side still wants what this side may write. */
  probe(): void {
    try {
      this.#host.connection.streamCapacity(this.id)
    } catch {
      this.cutByPeer()
    }
  }

  // The end

  reset(error?: Error, code: number = Reset.gaveUp): void {
    if (this.#over) return
    this.#shut(code)
    if (this.#ended) this.#host.gaveUp(this)
    this.#leave(error ?? new RystraError('stream.reset', { detail: 'by this side' }), true)
  }

  /** The link is gone. */
  cut(error: Error): void {
    this.#leave(error, false)
  }

  /** The other side has given it up. */
  cutByPeer(): void {
    if (this.#over) return
    this.#shut(Reset.gaveUp)
    this.#leave(new RystraError('stream.reset', { detail: 'by the other side' }), true)
  }

  #shut(code: number): void {
    shut(this.#host.connection, this.id, code)
    this.#host.wake()
  }

  #progressed(): void {
    if (this.#finSent && this.#endTold) this.#leave(undefined, true)
  }

  #leave(error: Error | undefined, later: boolean): void {
    if (this.#over) {
      if (!later) this.#tell(error)
      return
    }
    this.#over = true
    this.#queue = []
    this.#back = []
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

/** Gives both halves up. */
export const shut = (connection: QuicheConnection, id: number, code: number): void => {
  for (const half of [READ, WRITE] as const) {
    try {
      connection.streamShutdown(id, half, code)
    } catch {
      // That half is over already.
    }
  }
}
