import type { RawReader, Verdict } from '@rystra/bytes'
import { performance } from 'node:perf_hooks'
import { INITIAL_WINDOW } from './frame.js'
import { Inbox, type Piece } from './inbox.js'
import type { Memory, Pin, Source } from './memory.js'
import { ReceiveWindow } from './window.js'

/** A reader that reports consumption by {@link Receiving.consumed} and copies its data. */
export interface PacedReader extends RawReader {
  readonly paced: true
}

/** What the receiving side of a stream needs of its stream and session. */
export interface ReceivingOwner {
  readonly memory: Memory
  /** Largest window in bytes. */
  readonly maxWindow: number
  /** Milliseconds. */
  roundTrip(now: number): number
  /** Grants the peer `bytes` more. */
  credit(bytes: number): void
  /** All data was consumed, or the end was reported. */
  progressed(): void
}

/** The receiving side of a stream: credit of the peer, and unread data. */
export class Receiving {
  /** Received and not consumed bytes. */
  unread = 0
  /** The end was reported to the reader. */
  endReported = false
  /** The peer has sent its end. */
  ended = false

  readonly #owner: ReceivingOwner
  #reader: RawReader | undefined
  #paced = false
  #paused = false
  #busy = false
  #cleared = false
  /** Current credit of the peer, and the window it comes from. */
  #credit = INITIAL_WINDOW
  readonly #window = new ReceiveWindow()
  /** Consumed and not yet granted as credit. */
  #owed = 0
  #inbox: Inbox | undefined
  #back: Buffer[] | undefined
  /** Bytes to which the reader answered false: they count as consumed when it resumes. */
  #held = 0
  #heldPin: Pin | undefined

  constructor(owner: ReceivingOwner) {
    this.#owner = owner
  }

  get reader(): RawReader | undefined {
    return this.#reader
  }

  /** The current window in bytes. */
  get window(): number {
    return this.#window.bytes
  }

  /** Bytes that the peer may send. */
  get credit(): number {
    return this.ended ? 0 : this.#credit
  }

  /** The start of a data frame of `bytes`. False if it exceeds the credit. */
  expect(bytes: number): boolean {
    if (bytes > this.#credit) return false
    this.#window.begin()
    this.#credit -= bytes
    return true
  }

  /** A part of its payload, `source.buffer[start, end)`. */
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

  /** The peer sends no more. */
  end(): void {
    this.ended = true
    this.#flow()
  }

  /**
   * Switches to a reader and resumes.
   * @param repeatEnd also reports an end that the previous reader has seen
   */
  read(reader: RawReader, repeatEnd = false): void {
    if (repeatEnd) this.endReported = false
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
    this.release()
    this.#flow()
  }

  /** The reader is done with what it was lent when it stopped. */
  release(): void {
    const held = this.#held
    if (held === 0) return
    this.#held = 0
    this.#heldPin?.release()
    this.#heldPin = undefined
    this.consumed(held)
  }

  /** Data was consumed: the peer is granted the same amount, in steps of half a window. */
  consumed(bytes: number): void {
    this.unread -= bytes
    this.#owed += bytes
    if (this.ended) {
      if (this.unread === 0) this.#owner.progressed()
    } else if (this.#owed * 2 >= this.#window.bytes && !this.#cleared) this.#grant()
  }

  /** No reader uses lent memory, and the end was not reported. */
  get settled(): boolean {
    return this.#held === 0 && !this.#busy && !this.#cleared && !this.endReported
  }

  /** What {@link handOver} would leave. `owed` is consumed and not granted yet. */
  get position(): { credit: number; window: number; owed: number; ended: boolean } {
    return { credit: this.#credit, window: this.#window.bytes, owed: this.#owed, ended: this.ended }
  }

  /** A copy of what no reader has, and how much at its front was granted before. */
  rest(): { unread: Buffer; granted: number } {
    const back = Buffer.concat(this.#back ?? [])
    return { unread: Buffer.concat([back, ...(this.#inbox?.pieces() ?? [])]), granted: back.length }
  }

  /** Another reads on, outside of JavaScript: unread data is its, and so is the window. */
  handOver(): void {
    this.#inbox?.clear()
    this.#inbox = undefined
    this.#back = undefined
    this.#cleared = true
    this.#window.bytes = INITIAL_WINDOW
    this.#credit = 0
    this.unread = 0
  }

  /** Drops unread data. */
  clear(): void {
    this.#cleared = true
    this.#inbox?.clear()
    this.#inbox = undefined
    this.#back = undefined
    this.#heldPin?.abandon()
    this.#heldPin = undefined
    this.#window.reset(this.#owner.memory)
  }

  #grant(): void {
    const now = performance.now()
    const { memory, maxWindow } = this.#owner
    this.#owed += this.#window.adapt(now, this.#owner.roundTrip(now), maxWindow, memory)
    // A window that became smaller takes as much more to be passed.
    if (this.#owed <= 0) return
    this.#credit += this.#owed
    this.#owner.credit(this.#owed)
    this.#owed = 0
  }

  #answered(reader: RawReader, verdict: Verdict, bytes: number, pin: Pin | undefined): void {
    // A reader that has been replaced meanwhile does not pause its successor.
    if (verdict === false && reader === this.#reader) {
      this.#paused = true
      if (!this.#paced && !this.#cleared) {
        this.#held = bytes
        this.#heldPin = pin
        return
      }
    }
    // A closed reader that did not answer true still uses the memory.
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
    this.#reportEnd()
  }

  #give(reader: RawReader, { buffer, start, end, pin }: Piece): void {
    const bytes = end - start
    if (pin === undefined) this.#answered(reader, reader.onBytes(buffer, start, end, false), bytes, undefined)
    else if (this.#paced) {
      this.#answered(reader, reader.onBytes(buffer, start, end, true), bytes, undefined)
      pin.release()
    } else this.#answered(reader, reader.onBytes(buffer.subarray(start, end), 0, bytes, false), bytes, pin)
  }

  #reportEnd(): void {
    if (!this.ended || this.endReported || this.#paused || this.#cleared || this.#reader === undefined) return
    if (this.#inbox !== undefined || this.#back !== undefined) return
    this.endReported = true
    this.#reader.onEnd()
    this.#owner.progressed()
  }
}
