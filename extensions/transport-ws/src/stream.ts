import {
  cutOff,
  type FacedStream,
  HEADROOM,
  KEEP,
  RawFace,
  type RawReader,
  type RawStream,
  rawOf,
  type Verdict
} from '@rystra/bytes'
import type { RystraError } from '@rystra/plugin'
import type { Socket } from 'node:net'
import { afterEnd, closedBy } from './endings.js'
import { headerSize, Keys, Opcode, putHeader } from './frame.js'
import { CLOSE_TIMEOUT, MESSAGE_SIZE } from './limits.js'
import { mask } from './mask.js'
import { type FrameHandler, FrameParser } from './parser.js'

/** Writes up to this size are copied behind their header: into memory that all streams share, since it is copied on. */
const SMALL = 16 * 1024
const scratch = Buffer.allocUnsafeSlow(HEADROOM + SMALL)

/** Bytes waiting to be sent above which a ping goes unanswered: who does not read needs no pong. */
const PONG_LIMIT = 64 * 1024

const nothing = Buffer.alloc(0)
const noKey = new Uint8Array(4)

/** How an end of a WebSocket masks what it sends: a server never does, a client with `zeros` or with `keys`. */
export type Masking = 'none' | 'zeros' | 'keys'

/** The bytes of a WebSocket whose handshake is done. {@link duplex} is the same stream for those who want Node's. */
export class WsStream implements FacedStream, RawReader, FrameHandler {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false
  readonly duplex: RawFace

  readonly #socket: Socket
  readonly #lower: RawStream
  readonly #parser: FrameParser
  readonly #keys: Keys | undefined
  readonly #masking: Masking
  #reader: RawReader | undefined
  #reading = false
  #handing = false
  #paused = true
  /** Put back by readers. */
  #back: Buffer[] = []
  #ended = false
  #endTold = false
  #ending = false
  #closeSent = false
  #closeCame = false
  #gone = false
  #error: Error | undefined
  #linger: NodeJS.Timeout | undefined

  /** @param head what came behind the handshake */
  constructor(socket: Socket, head: Buffer, masking: Masking) {
    this.#socket = socket
    this.#masking = masking
    this.#keys = masking === 'keys' ? new Keys() : undefined
    this.#parser = new FrameParser(this, masking === 'none')
    this.duplex = new RawFace(this)
    socket.setTimeout(0)
    this.#lower = rawOf(socket)
    this.#lower.unread(head)
    this.#lower.onWritable = () => {
      if (this.onWritable === undefined) this.duplex.written()
      else this.onWritable()
    }
    this.#lower.onClose = (error) => this.#closed(error)
  }

  // Reading

  get reader(): RawReader | undefined {
    return this.#reader
  }

  read(reader: RawReader): void {
    if (reader !== this.#reader) {
      // What somebody has read ahead by the `Duplex` goes first.
      const ahead = this.#reader === this.duplex ? this.duplex.giveBack() : nothing
      this.#reader = reader
      this.#endTold = false
      this.unread(ahead)
    }
    this.resume()
  }

  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#back.unshift(bytes)
  }

  pause(): void {
    this.#paused = true
    if (this.#reading && !this.#ended) this.#lower.pause()
  }

  resume(): void {
    this.#paused = false
    // Who resumes while bytes are handed out gets the next ones from there.
    if (this.#reader === undefined || this.closed || this.#handing) return
    this.#hand(true)
    if (this.#paused || this.#ended || this.closed) return
    if (this.#reading) this.#lower.resume()
    else {
      this.#reading = true
      this.#lower.read(this)
    }
  }

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    // After an error: what still comes is read so that it is not answered with a reset, which would take our close along.
    if (this.#error !== undefined) return true
    this.#handing = true
    const verdict = this.#hand(this.#parser.push(buffer, start, end, shared))
    if (this.#paused && !this.#ended && verdict !== false) this.#lower.pause()
    return verdict
  }

  get waits(): boolean {
    return this.#paused || this.#back.length > 0
  }

  /** Hands out what is here until the reader has enough. @returns the verdict on memory that came with `verdict` so far */
  #hand(verdict: Verdict): Verdict {
    this.#handing = true
    let answer = verdict
    while (!this.#paused && !this.closed) {
      const bytes = this.#back.shift()
      if (bytes !== undefined) {
        if (this.#reader?.onBytes(bytes, 0, bytes.length, false) === false) this.#paused = true
      } else if (this.#parser.waiting) {
        const next = this.#parser.more()
        if (answer !== KEEP) answer = next
      } else break
    }
    this.#handing = false
    if (this.#ended && !this.#paused) this.#tellEnd()
    return this.#paused || answer === KEEP ? answer : true
  }

  onPayload(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    if (this.#ended) {
      this.onBroken(1002, afterEnd())
      return true
    }
    const verdict = (this.#reader as RawReader).onBytes(buffer, start, end, shared)
    if (verdict === false) this.#paused = true
    return verdict
  }

  onMessage(length: number): void {
    if (length > 0) return
    if (this.#ended) {
      this.onBroken(1002, afterEnd())
      return
    }
    this.#ended = true
    this.#progressed()
  }

  #tellEnd(): void {
    if (this.#endTold || this.closed) return
    this.#endTold = true
    this.#reader?.onEnd()
    if (this.#gone) this.#finish(undefined)
  }

  /** The connection ended: without a close that is as good as cut off. */
  onEnd(): void {
    if (this.#error !== undefined || this.#closeCame || (this.#ended && this.#ending)) this.#lower.end()
    else this.#fail(closedBy(1006, nothing, undefined))
  }

  // Writing

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    if (this.#ending || this.#error !== undefined) return true
    let through = true
    for (let at = start; at < end; at += MESSAGE_SIZE) {
      const to = Math.min(end, at + MESSAGE_SIZE)
      // What lies in front of a later part is the part before it, which may not have been sent yet.
      through = this.#send(Opcode.binary, buffer, at, to, shared || at > start)
    }
    return through
  }

  #send(opcode: number, buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    const length = end - start
    const key = this.#masking === 'none' ? undefined : (this.#keys?.next() ?? noKey)
    const size = headerSize(length, key !== undefined)
    if (length > SMALL && !shared && this.#keys === undefined && start >= size) {
      putHeader(buffer, start, opcode, length, key)
      return this.#lower.write(buffer, start - size, end, false)
    }
    const small = length <= SMALL
    const copy = small ? scratch : Buffer.allocUnsafe(HEADROOM + length)
    buffer.copy(copy, HEADROOM, start, end)
    if (this.#keys !== undefined && key !== undefined) mask(copy, HEADROOM, HEADROOM + length, key)
    putHeader(copy, HEADROOM, opcode, length, key)
    return this.#lower.write(copy, HEADROOM - size, HEADROOM + length, small)
  }

  end(): void {
    if (this.#ending || this.#error !== undefined) return
    this.#ending = true
    // An empty message. WebSocket itself has no end of one direction.
    this.#send(Opcode.binary, nothing, 0, 0, true)
    this.#progressed()
  }

  onPing(payload: Buffer): void {
    if (this.#closeSent || this.#socket.writableLength > PONG_LIMIT) return
    this.#send(Opcode.pong, payload, 0, payload.length, true)
  }

  // The end

  /** Both directions are over: what was sent goes out before the close does. */
  #progressed(): void {
    if (this.#ended && this.#ending && this.#error === undefined) this.#close(1000)
  }

  onCloseFrame(code: number, reason: Buffer): void {
    this.#parser.stop()
    this.#closeCame = true
    // It closes when both are over, so it has seen our end.
    if (this.#ended && this.#ending) return
    this.#close(code === 1005 ? 1000 : code)
    this.#fail(closedBy(code, reason, undefined))
  }

  onBroken(code: number, error: RystraError): void {
    this.#parser.stop()
    this.#close(code)
    this.#fail(error)
  }

  /** Says good-bye. Who does not answer is left alone once all is with the kernel. */
  #close(code: number): void {
    if (this.#closeSent) return
    this.#closeSent = true
    const payload = Buffer.alloc(2)
    payload.writeUInt16BE(code)
    this.#send(Opcode.close, payload, 0, 2, true)
    this.#lower.end()
    if (!this.#handing) this.#lower.resume()
    let patience = true
    this.#linger = setInterval(() => {
      const out = this.#socket.writableFinished
      // What is in good order gets all the time it takes to be sent; what is not, no more than this.
      if (out || this.#error !== undefined || !patience) this.#socket.destroy()
      patience = this.#error === undefined
    }, CLOSE_TIMEOUT).unref()
  }

  reset(): void {
    if (this.closed || this.#error !== undefined) return
    this.#error = new Error('reset by this side')
    this.#parser.stop()
    // No end was said, so that the other side takes it for what it is.
    cutOff(this.#socket)
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.#parser.stop()
    if (!this.#closeSent) cutOff(this.#socket)
    this.#finish(this.#error)
  }

  #closed(cause: Error | undefined): void {
    this.#gone = true
    clearInterval(this.#linger)
    const sent = this.#closeCame || this.#socket.writableFinished
    if (this.#error !== undefined || !this.#ended || !this.#ending || !sent) this.#fail(closedBy(1006, nothing, cause))
    else if (this.#endTold) this.#finish(undefined)
  }

  #finish(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.#back = []
    this.duplex.over(error)
    this.onClose?.(error)
  }
}
