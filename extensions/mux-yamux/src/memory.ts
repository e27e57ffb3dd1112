import { forgetSlab, HEADROOM, holdSlab, KEEP, mayHoldSlab, releaseSlab, SLAB_SIZE, type Verdict } from '@rystra/bytes'
import { SHARED, SHARED_COLUMNS } from '@rystra/native'
import { HEADER } from './frame.js'

/** Smaller payload is passed as shared, so that a few bytes never pin a whole slab; a frame of 64 KiB is no smaller. */
const MIN_LENT_BYTES = SLAB_SIZE / 16 - HEADER

const nothing = Buffer.alloc(0)

/** Accounts for unread data and window growth of a session. */
export class Memory {
  readonly #limit: number
  readonly #shared: Float64Array

  /** @param shared counts the same of streams that the native part has joined */
  constructor(limit: number, shared = new Float64Array(SHARED_COLUMNS)) {
    this.#limit = limit
    this.#shared = shared
  }

  /** Bytes in inboxes and pinned slabs. */
  get used(): number {
    return this.#shared[SHARED.used] as number
  }

  set used(bytes: number) {
    this.#shared[SHARED.used] = bytes
  }

  /** Bytes by which windows exceed their initial size. */
  get grown(): number {
    return this.#shared[SHARED.grown] as number
  }

  set grown(bytes: number) {
    this.#shared[SHARED.grown] = bytes
  }

  get exceeded(): boolean {
    return this.used > this.#limit
  }

  /**
   * Requests `bytes` more window. A request may take a quarter of what is left: early streams grow freely, later ones
   * less.
   */
  grow(bytes: number): boolean {
    if (bytes * 4 > this.#limit / 2 - this.grown) return false
    this.grown += bytes
    return true
  }

  /** Returns window. */
  shrink(bytes: number): void {
    this.grown -= bytes
  }
}

/** A slab that outlives its read, because readers still use parts of it. */
export class Pin {
  readonly #memory: Memory
  readonly #slab: Buffer
  #holders = 0
  #owned = false
  #abandoned = false

  constructor(memory: Memory, slab: Buffer) {
    this.#memory = memory
    this.#slab = slab
    memory.used += slab.length
    holdSlab(true)
  }

  hold(): this {
    this.#holders += 1
    return this
  }

  release(): void {
    this.#holders -= 1
    if (this.#holders === 0 && this.#owned) this.#free(true)
  }

  /** A reader keeps the memory: it must never be reused for reading. */
  abandon(): void {
    this.#abandoned = true
    this.release()
  }

  /** The read has ended. Returns whether the slab is still in use; this object then owns it. */
  settle(): boolean {
    this.#owned = this.#holders > 0 || this.#abandoned
    if (this.#holders === 0) this.#free(false)
    return this.#owned
  }

  #free(giveBack: boolean): void {
    this.#memory.used -= this.#slab.length
    holdSlab(false)
    if (this.#abandoned) forgetSlab(this.#slab)
    else if (giveBack) releaseSlab(this.#slab)
  }
}

/** The memory of the current read. One per session, reused for each read. */
export class Source {
  buffer: Buffer = nothing
  readonly #memory: Memory
  #lent = false
  #view: Buffer | undefined
  #pin: Pin | undefined
  #pinnedEnd = 0

  constructor(memory: Memory) {
    this.#memory = memory
  }

  begin(buffer: Buffer, shared: boolean): void {
    this.buffer = buffer
    this.#lent = !shared
  }

  /** The verdict for the link. */
  end(): Verdict {
    const pin = this.#pin
    this.#pin = undefined
    this.#pinnedEnd = 0
    this.#lent = false
    // An idle session must not retain a slab.
    this.buffer = nothing
    this.#view = undefined
    return pin?.settle() === true ? KEEP : true
  }

  /** Whether a reader may be lent a part of `bytes`. */
  lends(bytes: number): boolean {
    return this.#lent && bytes >= MIN_LENT_BYTES && (this.#pin !== undefined || mayHoldSlab())
  }

  /** The memory to lend from `start` on; `undefined` if the bytes in front are still in use. */
  view(start: number): Buffer | undefined {
    if (start - HEADROOM < this.#pinnedEnd) return undefined
    // A view: a reader that keeps it cannot release the slab under other readers.
    this.#view ??= this.buffer.subarray()
    return this.#view
  }

  /** Pins the memory up to `end` until it is released. Only after {@link lends}. */
  pin(end: number): Pin {
    this.#pinnedEnd = end
    this.#pin ??= new Pin(this.#memory, this.buffer)
    return this.#pin.hold()
  }
}
