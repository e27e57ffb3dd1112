import { forgetSlab, HEADROOM, KEEP, releaseSlab, type Verdict } from '@rystra/bytes'

/**
 * Slabs that may be held back by slow readers at a time, in the whole process: a third of the pool, so that stalled
 * streams never take the fast memory away from flowing ones. Beyond it bytes are copied.
 */
const PIN_LIMIT = 80

/** Payload smaller than this is given to readers as shared, so that a few bytes never hold a slab of 256 KiB back. */
const LEND = 16 * 1024

let pins = 0

const nothing = Buffer.alloc(0)

/** How much of what was received nobody has read yet, and how far windows may grow because of it. One per session. */
export class Memory {
  readonly #limit: number
  /** Bytes that inboxes and pinned slabs take. */
  used = 0
  /** Bytes by which windows are larger now than they were at first. */
  grown = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get exceeded(): boolean {
    return this.used > this.#limit
  }

  /**
   * Asks for `bytes` more window. The first streams get all they want, the later ones less: nobody gets more at a time
   * than a quarter of what is left.
   */
  grow(bytes: number): boolean {
    if (bytes * 4 > this.#limit / 2 - this.grown) return false
    this.grown += bytes
    return true
  }

  /** Gives window back. */
  shrink(bytes: number): void {
    this.grown -= bytes
  }
}

/** A slab that outlives the read that filled it, because readers still need parts of it. */
export class Pin {
  readonly #memory: Memory
  readonly #slab: Buffer
  #holders = 0
  #ours = false
  #abandoned = false

  constructor(memory: Memory, slab: Buffer) {
    this.#memory = memory
    this.#slab = slab
    memory.used += slab.length
    pins += 1
  }

  hold(): this {
    this.#holders += 1
    return this
  }

  release(): void {
    this.#holders -= 1
    if (this.#holders === 0 && this.#ours) this.#free(true)
  }

  /** A reader keeps the memory for ever: it must never be read into again. */
  abandon(): void {
    this.#abandoned = true
    this.release()
  }

  /** The reading is over. Returns whether the slab is still needed; then it is ours. */
  settle(): boolean {
    this.#ours = this.#holders > 0 || this.#abandoned
    if (this.#holders === 0) this.#free(false)
    return this.#ours
  }

  #free(giveBack: boolean): void {
    this.#memory.used -= this.#slab.length
    pins -= 1
    if (this.#abandoned) forgetSlab(this.#slab)
    else if (giveBack) releaseSlab(this.#slab)
  }
}

/** The memory in which the bytes that are parsed now have come. One per session, used again for each read. */
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

  /** The answer to the link. */
  end(): Verdict {
    const pin = this.#pin
    this.#pin = undefined
    this.#pinnedEnd = 0
    this.#lent = false
    // A session that is idle from now on must not hold a slab.
    this.buffer = nothing
    this.#view = undefined
    return pin?.settle() === true ? KEEP : true
  }

  /** Whether a reader may be lent a part of so many bytes. */
  lends(bytes: number): boolean {
    return this.#lent && bytes >= LEND && (this.#pin !== undefined || pins < PIN_LIMIT)
  }

  /** The memory to lend, for bytes from `start` on; undefined if what lies in front of it is still in use. */
  view(start: number): Buffer | undefined {
    if (start - HEADROOM < this.#pinnedEnd) return undefined
    // A view: a reader that keeps it must not be able to release the slab under the others.
    this.#view ??= this.buffer.subarray()
    return this.#view
  }

  /** Keeps the memory until it is released, bytes up to `end`. Only after {@link lends}. */
  pin(end: number): Pin {
    this.#pinnedEnd = end
    this.#pin ??= new Pin(this.#memory, this.buffer)
    return this.#pin.hold()
  }
}
