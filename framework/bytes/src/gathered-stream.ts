import { type Detached, HEADROOM, KEEP, type RawReader, type RawStream, type Verdict } from './raw.js'
import { CROWDED_READ } from './socket-limits.js'
import { holdSlab, forgetSlab, mayHoldSlab, releaseSlab, takeSlab } from './slab.js'

/** A piece of at least this size is followed by more as a rule: a full TLS record, 16 KiB, in the middle of a flow. */
const FLOW_PIECE_BYTES = 8 * 1024

/** What is gathered at most: larger blocks leave the cache before they are passed on. */
const GATHER_BYTES = 512 * 1024

/**
 * A raw stream on top of one that brings bytes in small pieces, as TLS does with its records. In full flow the pieces of one
 * turn of the event loop are passed on as one: a write for each would cost more than the decryption. A small piece is passed
 * on at once, with what was gathered before it.
 */
export class GatheredStream implements RawStream, RawReader {
  onClose: ((error?: Error) => void) | undefined
  closed = false
  readonly #inner: RawStream
  #reader: RawReader | undefined
  /** Present while bytes are gathered: a slab, filled up to `#end`. */
  #slab: Buffer | undefined
  #end = HEADROOM
  /** The slab that the reader still uses, see `RawReader.onBytes`. */
  #held: Buffer | undefined
  #turn: NodeJS.Immediate | undefined
  #paused = false
  #busy = false
  #back: Buffer[] | undefined
  #ended = false
  #endReported = false

  constructor(inner: RawStream) {
    this.#inner = inner
    this.closed = inner.closed
    inner.onClose = (error) => this.#innerClosed(error)
  }

  get onWritable(): (() => void) | undefined {
    return this.#inner.onWritable
  }

  set onWritable(writable: (() => void) | undefined) {
    this.#inner.onWritable = writable
  }

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    return this.#inner.write(buffer, start, end, shared)
  }

  end(): void {
    this.#inner.end()
  }

  read(reader: RawReader): void {
    const first = this.#reader === undefined
    this.#reader = reader
    this.#letGo()
    this.#paused = false
    if (first) this.#inner.read(this)
    else this.resume()
  }

  unread(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#back ??= []
    this.#back.unshift(bytes)
  }

  pause(): void {
    this.#paused = true
    this.#inner.pause()
  }

  resume(): void {
    this.#letGo()
    this.#paused = false
    this.#flow()
    if (!this.#paused && this.#reader !== undefined && !this.#ended && !this.closed) this.#inner.resume()
  }

  watch(): void {
    this.#inner.watch?.()
  }

  reset(): void {
    this.#paused = true
    this.#drop()
    this.#back = undefined
    this.#inner.reset()
  }

  /** Only with TLS below: without it the descriptor has other bytes. */
  detach(tls = false): Detached | undefined {
    if (!tls || this.closed || this.#ended || this.#busy || this.#held !== undefined) return undefined
    const socket = this.#inner.detach?.(true)
    if (socket === undefined) return undefined
    const gathered = this.#slab?.subarray(HEADROOM, this.#end)
    const pending = Buffer.concat([
      ...(this.#back ?? []),
      ...(gathered === undefined ? [] : [gathered]),
      socket.pending
    ])
    this.#drop()
    this.#back = undefined
    return { ...socket, pending, attach: () => this.unread(pending) }
  }

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    const bytes = end - start
    if (this.#busy || this.#paused || this.#back !== undefined) {
      this.#back ??= []
      if (this.#slab !== undefined) this.#back.push(Buffer.from(this.#slab.subarray(HEADROOM, this.#end)))
      this.#back.push(Buffer.from(buffer.subarray(start, end)))
      this.#drop()
      this.#flow()
      return !this.#paused
    }
    if (this.#slab === undefined) {
      if (bytes < FLOW_PIECE_BYTES) return this.#pass(buffer, start, end, shared)
      this.#slab = takeSlab()
      if (this.#slab === undefined) return this.#pass(buffer, start, end, shared)
      this.#turn = setImmediate(this.#flow)
    }
    // Without a view of the piece, which would cost as much as its copy.
    if (bytes === buffer.length) this.#slab.set(buffer, this.#end)
    else buffer.copy(this.#slab, this.#end, start, end)
    this.#end += bytes
    const limit = HEADROOM + (mayHoldSlab() ? GATHER_BYTES : CROWDED_READ)
    if (bytes < FLOW_PIECE_BYTES || this.#end + bytes > limit) this.#flow()
    return !this.#paused
  }

  onEnd(): void {
    this.#ended = true
    this.#flow()
  }

  /** Nothing is gathered: the piece goes as it is. */
  #pass(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    const reader = this.#reader as RawReader
    this.#busy = true
    const verdict = reader.onBytes(buffer, start, end, shared)
    this.#busy = false
    if (verdict === false && reader === this.#reader) this.#paused = true
    if (this.#back !== undefined || this.#slab !== undefined) this.#flow()
    return verdict
  }

  /** Passes on what there is, in order. */
  readonly #flow = (): void => {
    if (this.#busy) return
    this.#busy = true
    while (!this.#paused && this.#reader !== undefined) {
      const reader = this.#reader
      const back = this.#back?.shift()
      if (back !== undefined) {
        if (this.#back?.length === 0) this.#back = undefined
        if (reader.onBytes(back, 0, back.length, false) === false && reader === this.#reader) this.#paused = true
        continue
      }
      if (this.#slab === undefined) break
      this.#give(reader, this.#slab, this.#end)
    }
    this.#busy = false
    if (this.#paused) this.#inner.pause()
    else if (this.#ended && this.#reader !== undefined) this.#reportEnd()
  }

  #give(reader: RawReader, slab: Buffer, end: number): void {
    this.#forgetGathered()
    const lends = mayHoldSlab()
    const verdict = reader.onBytes(slab, HEADROOM, end, !lends)
    if (verdict === false && reader === this.#reader) this.#paused = true
    if (verdict === KEEP) return
    if (verdict === true || !lends) releaseSlab(slab)
    else if (this.#paused && reader === this.#reader && !this.closed) {
      this.#held = slab
      holdSlab(true)
    } else forgetSlab(slab)
  }

  #forgetGathered(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
    this.#slab = undefined
    this.#end = HEADROOM
  }

  /** The reader is done with the slab that it was lent. */
  #letGo(): void {
    if (this.#held === undefined) return
    holdSlab(false)
    releaseSlab(this.#held)
    this.#held = undefined
  }

  #reportEnd(): void {
    if (this.#endReported) return
    this.#endReported = true
    this.#reader?.onEnd()
  }

  /** Gives up what was gathered and not passed on. */
  #drop(): void {
    const slab = this.#slab
    this.#forgetGathered()
    if (slab !== undefined) releaseSlab(slab)
  }

  /** A reader that will not be resumed may still write from the slab that it was lent. */
  #abandon(): void {
    if (this.#held === undefined) return
    holdSlab(false)
    forgetSlab(this.#held)
    this.#held = undefined
  }

  #innerClosed(error: Error | undefined): void {
    if (this.closed) return
    // What had arrived before a reset goes out first.
    this.#flow()
    this.closed = true
    if (error !== undefined) {
      this.#drop()
      this.#back = undefined
    }
    this.#abandon()
    this.onClose?.(error)
  }
}
