import { HEADROOM, type RawStream } from '@rystra/bytes'
import { performance } from 'node:perf_hooks'
import { CHUNK_BYTES, FRAME_HEADER, MAX_FRAME_BYTES } from '../limits.js'

/** Memory of one write: two frames of the largest size. */
const SLAB_BYTES = HEADROOM + 2 * (FRAME_HEADER + MAX_FRAME_BYTES)

/** Slabs that are kept for the next writer. Idle connections hold none. */
const MAX_IDLE_SLABS = 16

/** Bytes that parts of long messages put into the stream before other work gets its turn. */
const PARTS_BYTES = 262_144

/** Milliseconds for which parts of long messages may be in front of a call: less of them goes into a stream that is slow. */
const PARTS_MS = 8

const idle: Buffer[] = []
const EMPTY = Buffer.alloc(0)

const release = (slab: Buffer): void => {
  if (idle.length < MAX_IDLE_SLABS) idle.push(slab)
}

/** A long message that goes out in parts. */
export interface Parts {
  /** Writes the next frame. Answers whether more follow. */
  next(writer: FrameWriter): boolean
  readonly bytes: number
}

/** What a {@link FrameWriter} tells. */
export interface WriterOwner {
  /** Everything that was queued is written. */
  onDrain(): void
}

const flush = (writer: FrameWriter): void => writer.flush()

/** Gathers the frames of a turn into one write. What waits for the stream is counted. */
export class FrameWriter {
  /** Where {@link begin} has made room. */
  buffer: Buffer = EMPTY
  owner: WriterOwner | undefined
  readonly #stream: RawStream
  #at = 0
  #full: { slab: Buffer; end: number }[] = []
  #lent: Buffer | undefined
  #lentBytes = 0
  #lentAt = 0
  #queued = 0
  /** Bytes of parts that go out together. */
  #partsBytes = MAX_FRAME_BYTES
  #parts: Parts[] = []
  #scheduled = false
  #ending = false
  #over = false

  constructor(stream: RawStream) {
    this.#stream = stream
    stream.onWritable = () => {
      if (this.#lent === undefined) return
      release(this.#lent)
      if (this.#parts.length > 0) this.#pace(performance.now() - this.#lentAt)
      this.#lent = undefined
      this.#lentBytes = 0
      this.#flush()
    }
  }

  /** Bytes that have not gone into the stream, those of long messages included. */
  get queued(): number {
    let parts = 0
    for (const each of this.#parts) parts += each.bytes
    return this.queuedFrames + parts
  }

  /** The same without what is left of long messages. */
  get queuedFrames(): number {
    return this.#queued + this.#lentBytes
  }

  /** Whether the stream takes no more for now. */
  get blocked(): boolean {
    return this.#lent !== undefined
  }

  /** Writes a header. Answers with where the rest goes, in {@link buffer}. */
  begin(type: number, flags: number, id: number, size: number): number {
    const whole = FRAME_HEADER + size
    if (this.#at + whole > this.buffer.length) this.#nextSlab()
    const { buffer } = this
    let at = this.#at
    buffer[at] = type
    buffer[at + 1] = flags
    buffer[at + 2] = size >>> 8
    buffer[at + 3] = size
    buffer[at + 4] = id >>> 24
    buffer[at + 5] = id >>> 16
    buffer[at + 6] = id >>> 8
    buffer[at + 7] = id
    at += FRAME_HEADER
    this.#at = at + size
    this.#queued += whole
    this.#schedule()
    return at
  }

  /** Sends a long message in parts, taking turns with the others. */
  add(parts: Parts): void {
    this.#parts.push(parts)
    this.#schedule()
  }

  remove(parts: Parts): void {
    this.#parts = this.#parts.filter((each) => each !== parts)
  }

  /** Sends what is queued, then the end. */
  end(): void {
    this.#ending = true
    this.#schedule()
  }

  /** The stream is over: nothing more is written. */
  stop(): void {
    this.#over = true
    this.#parts = []
    this.#full = []
    this.#queued = 0
    this.#lentBytes = 0
    if (this.buffer.length > 0) release(this.buffer)
    this.buffer = EMPTY
    this.#at = 0
  }

  #nextSlab(): void {
    if (this.buffer.length > 0) this.#full.push({ slab: this.buffer, end: this.#at })
    this.buffer = idle.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
    this.#at = HEADROOM
  }

  #schedule(): void {
    if (this.#scheduled || this.#over || this.#lent !== undefined) return
    this.#scheduled = true
    process.nextTick(flush, this)
  }

  /** @internal */
  flush(): void {
    this.#scheduled = false
    if (!this.#over) this.#flush()
  }

  #flush(): void {
    let budget = PARTS_BYTES
    while (this.#lent === undefined && !this.#over) {
      if (!this.#writeQueued()) return
      if (this.#parts.length === 0) break
      if (budget <= 0) {
        this.#scheduled = true
        setImmediate(flush, this)
        return
      }
      const before = this.#queued
      this.#fillWithParts()
      budget -= this.#queued - before
    }
    if (this.#over || this.#lent !== undefined) return
    if (this.#ending) {
      this.#over = true
      this.#stream.end()
    }
    this.owner?.onDrain()
  }

  /** Frames of the long messages, one of each in turn, up to a slab. */
  #fillWithParts(): void {
    this.#scheduled = true
    const end = this.#queued + this.#partsBytes
    while (this.#parts.length > 0 && this.#queued < end) {
      const parts = this.#parts.shift() as Parts
      if (parts.next(this)) this.#parts.push(parts)
    }
    this.#scheduled = false
  }

  /** Answers whether the stream took all. */
  #writeQueued(): boolean {
    for (let next = this.#full.shift(); next !== undefined; next = this.#full.shift()) {
      if (!this.#write(next.slab, next.end)) return false
      release(next.slab)
    }
    if (this.#at <= HEADROOM) return true
    const { buffer } = this
    const end = this.#at
    this.#at = 0
    this.buffer = EMPTY
    if (!this.#write(buffer, end)) return false
    release(buffer)
    return true
  }

  #write(slab: Buffer, end: number): boolean {
    const bytes = end - HEADROOM
    this.#queued -= bytes
    // Set first: the stream may say that it is writable again, or that it is closed, within the call.
    this.#lent = slab
    this.#lentBytes = bytes
    if (this.#stream.write(slab, HEADROOM, end, false)) {
      this.#lent = undefined
      this.#lentBytes = 0
      return true
    }
    if (this.#parts.length > 0) this.#lentAt = performance.now()
    return false
  }

  /** What was lent took so long. */
  #pace(ms: number): void {
    const bytes = ms > 0 ? (this.#lentBytes / ms) * PARTS_MS : MAX_FRAME_BYTES
    this.#partsBytes = Math.max(CHUNK_BYTES, Math.min(bytes, MAX_FRAME_BYTES))
  }
}
