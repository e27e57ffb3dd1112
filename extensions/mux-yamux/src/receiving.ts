import type { RawReader, Verdict } from '@rystra/bytes'
import { performance } from 'node:perf_hooks'
import { INITIAL_WINDOW } from './frame.js'
import { Inbox, type Piece } from './inbox.js'
import type { Memory, Pin, Source } from './memory.js'

/** A reader that says itself when its bytes were really read, by {@link Receiving.consumed}, and copies what it gets. */
export interface PacedReader extends RawReader {
  readonly paced: true
}

/** What the receiving half needs of its stream and session. */
export interface ReceivingOwner {
  readonly memory: Memory
  /** The largest window, in bytes. */
  readonly maxWindow: number
  /** Milliseconds. */
  roundTrip(now: number): number
  /** The other side may send `bytes` more. */
  credit(bytes: number): void
  /** The last byte has been read, or the end has been told. */
  progressed(): void
}

/** The receiving half of a stream: credit given to the other side, and what waits to be read. */
export class Receiving {
  /** Bytes received and not read. */
  unread = 0
  /** The end was told to the reader. */
  endTold = false
  /** The other side has sent its end. */
  ended = false

  readonly #owner: ReceivingOwner
  #reader: RawReader | undefined
  #paced = false
  #paused = false
  #busy = false
  #cleared = false
  /** What the other side may send now, of a window of so many bytes. */
  #credit = INITIAL_WINDOW
  #window = INITIAL_WINDOW
  /** Read, and not given back as credit yet. */
  #owed = 0
  #grantedAt = 0
  #inbox: Inbox | undefined
  #back: Buffer[] | undefined
  /** The reader answered false to so many bytes: they are read when it resumes. */
  #held = 0
  #heldPin: Pin | undefined

  constructor(owner: ReceivingOwner) {
    this.#owner = owner
  }

  get reader(): RawReader | undefined {
    return this.#reader
  }

  /** The present window, in bytes. */
  get window(): number {
    return this.#window
  }

  /** A data frame of `bytes` has begun. False if that is more than the other side may send. */
  expect(bytes: number): boolean {
    if (bytes > this.#credit) return false
    if (this.#grantedAt === 0) this.#grantedAt = performance.now()
    this.#credit -= bytes
    return true
  }

  /** A part of its payload is here: `source.buffer[start, end)`. */
  take(source: Source, start: number, end: number): void {
    if (this.#cleared) return
    const bytes = end - start
    const reader = this.#reader
    this.unread += bytes
    const waits = this.#busy || this.#inbox !== undefined || this.#back !== undefined
    if (reader === undefined || this.#paused || waits) {
      this.#inbox ??= new Inbox(this.#owner.memory)
      this.#inbox.add(source, start, end)
      this.#flow()
      return
    }
    this.#busy = true
    if (this.#paced || !source.lends(bytes)) {
      this.#answered(reader, reader.onBytes(source.buffer, start, end, true), bytes, undefined)
    } else {
      const view = source.view(start)
      const verdict =
        view === undefined
          ? reader.onBytes(source.buffer.subarray(start, end), 0, bytes, false)
          : reader.onBytes(view, start, end, false)
      this.#answered(reader, verdict, bytes, verdict === true ? undefined : source.pin(end))
    }
    this.#busy = false
    if (this.#back !== undefined || this.#inbox !== undefined) this.#flow()
  }

  /** The other side will send no more. */
  end(): void {
    this.ended = true
    this.#flow()
  }

  /**
   * Goes on at once, whatever the reader before has said.
   * @param tellEnd also tells the end to it, if the one before has been told
   */
  read(reader: RawReader, tellEnd = false): void {
    if (tellEnd) this.endTold = false
    this.#reader = reader
    this.#paced = 'paced' in reader
    this.resume()
  }

  /** See `RawStream.unread`. */
  putBack(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#back ??= []
    this.#back.unshift(bytes)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    const held = this.#held
    if (held > 0) {
      this.#held = 0
      this.#heldPin?.release()
      this.#heldPin = undefined
      this.consumed(held)
    }
    this.#flow()
  }

  /** Bytes have been read: the other side may send as many again. It is told at half a window. */
  consumed(bytes: number): void {
    this.unread -= bytes
    this.#owed += bytes
    if (this.ended) {
      if (this.unread === 0) this.#owner.progressed()
    } else if (this.#owed * 2 >= this.#window && !this.#cleared) this.#grant()
  }

  /** Drops what is unread. */
  clear(): void {
    this.#cleared = true
    this.#inbox?.clear()
    this.#inbox = undefined
    this.#back = undefined
    this.#heldPin?.abandon()
    this.#heldPin = undefined
    this.#owner.memory.shrink(this.#window - INITIAL_WINDOW)
    this.#window = INITIAL_WINDOW
  }

  #grant(): void {
    const now = performance.now()
    // Half a window took less than two round trips: the sender may have been waiting for us.
    if (now - this.#grantedAt < 2 * this.#owner.roundTrip(now)) {
      const more = Math.min(this.#window, this.#owner.maxWindow - this.#window)
      if (more > 0 && this.#owner.memory.grow(more)) {
        this.#window += more
        this.#owed += more
      }
    }
    this.#grantedAt = now
    this.#credit += this.#owed
    this.#owner.credit(this.#owed)
    this.#owed = 0
  }

  #answered(reader: RawReader, verdict: Verdict, bytes: number, pin: Pin | undefined): void {
    // One that has handed over to another in between stops nobody.
    if (verdict === false && reader === this.#reader) {
      this.#paused = true
      if (!this.#paced && !this.#cleared) {
        this.#held = bytes
        this.#heldPin = pin
        return
      }
    }
    // Who answers anything but true and is gone still has the memory.
    if (verdict === true) pin?.release()
    else pin?.abandon()
    if (!this.#paced) this.consumed(bytes)
  }

  #flow(): void {
    if (this.#busy) return
    this.#busy = true
    while (this.#reader !== undefined && !this.#paused && !this.#cleared) {
      const back = this.#back?.shift()
      if (back !== undefined) {
        if (this.#back?.length === 0) this.#back = undefined
        if (this.#reader.onBytes(back, 0, back.length, false) === false) this.#paused = true
        continue
      }
      const piece = this.#inbox?.shift()
      if (piece === undefined) break
      if (this.#inbox?.empty === true) this.#inbox = undefined
      this.#give(this.#reader, piece)
    }
    this.#busy = false
    this.#tellEnd()
  }

  #give(reader: RawReader, { buffer, start, end, pin }: Piece): void {
    const bytes = end - start
    if (pin === undefined) this.#answered(reader, reader.onBytes(buffer, start, end, false), bytes, undefined)
    else if (this.#paced) {
      this.#answered(reader, reader.onBytes(buffer, start, end, true), bytes, undefined)
      pin.release()
    } else this.#answered(reader, reader.onBytes(buffer.subarray(start, end), 0, bytes, false), bytes, pin)
  }

  #tellEnd(): void {
    if (!this.ended || this.endTold || this.#paused || this.#cleared || this.#reader === undefined) return
    if (this.#inbox !== undefined || this.#back !== undefined) return
    this.endTold = true
    this.#reader.onEnd()
    this.#owner.progressed()
  }
}
