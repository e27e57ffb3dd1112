import {
  cutOff,
  type FacedStream,
  KEEP,
  RawFace,
  type RawReader,
  type RawStream,
  rawOf,
  type Verdict
} from '@rystra/bytes'
import type { RystraError } from '@rystra/plugin'
import type { Socket } from 'node:net'
import { messageAfterEnd, closeError } from './errors.js'
import { Opcode } from './frame.js'
import { FrameWriter, type Masking } from './frame-writer.js'
import { CLOSE_TIMEOUT_MS, MESSAGE_BYTES } from './limits.js'
import { type FrameHandler, FrameParser } from './parser.js'

/** Queued bytes above which pings are not answered: the peer is not reading. */
const MAX_QUEUED_FOR_PONG_BYTES = 64 * 1024

const nothing = Buffer.alloc(0)

/** The byte stream of an open WebSocket. {@link duplex} is the same stream as a Node `Duplex`. */
export class WsStream implements FacedStream, RawReader, FrameHandler {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false
  readonly duplex: RawFace

  readonly #socket: Socket
  readonly #lower: RawStream
  readonly #parser: FrameParser
  readonly #frames: FrameWriter
  #reader: RawReader | undefined
  #reading = false
  #handing = false
  #paused = true
  /** Bytes that readers put back. */
  #back: Buffer[] = []
  #ended = false
  #endReported = false
  #ending = false
  #closeSent = false
  #closeCame = false
  #gone = false
  #error: Error | undefined
  #linger: NodeJS.Timeout | undefined
  readonly #pinger: NodeJS.Timeout | undefined

  /**
   * @param head bytes received behind the handshake
   * @param pingInterval milliseconds between two pings; 0 for none
   */
  constructor(socket: Socket, head: Buffer, masking: Masking, pingInterval: number) {
    this.#socket = socket
    this.#parser = new FrameParser(this, masking === 'none')
    this.duplex = new RawFace(this)
    socket.setTimeout(0)
    this.#lower = rawOf(socket)
    this.#frames = new FrameWriter(this.#lower, masking)
    this.#lower.unread(head)
    this.#lower.onWritable = () => {
      if (this.onWritable === undefined) this.duplex.written()
      else this.onWritable()
    }
    this.#lower.onClose = (error) => this.#closed(error)
    if (pingInterval > 0) this.#pinger = setInterval(this.#ping, pingInterval).unref()
  }

  /**
   * Proxies in between close silent links: a ping and its pong are traffic in both directions. Links that are not silent send
   * pings too: a link that became silent after one tick would else be pinged after the next but one.
   */
  readonly #ping = (): void => {
    if (this.#closeSent || this.#error !== undefined || this.#socket.writableLength > 0) return
    this.#frames.write(Opcode.ping, nothing, 0, 0, true)
  }

  // Reading

  get reader(): RawReader | undefined {
    return this.#reader
  }

  read(reader: RawReader): void {
    if (reader !== this.#reader) {
      // Bytes buffered by the `Duplex` come first.
      const ahead = this.#reader === this.duplex ? this.duplex.giveBack() : nothing
      this.#reader = reader
      this.#endReported = false
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
    // A reader that resumes within `onBytes` gets the next bytes from the loop that called it.
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
    // After an error received bytes are discarded: unread ones would reset the connection and lose the close frame.
    if (this.#error !== undefined) return true
    this.#handing = true
    const verdict = this.#hand(this.#parser.push(buffer, start, end, shared))
    if (this.#paused && !this.#ended && verdict !== false) this.#lower.pause()
    return verdict
  }

  get waits(): boolean {
    return this.#paused || this.#back.length > 0
  }

  /** Hands on buffered bytes until the reader pauses. @returns the verdict on memory that came with `verdict` so far */
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
      this.onViolation(1002, messageAfterEnd())
      return true
    }
    const verdict = (this.#reader as RawReader).onBytes(buffer, start, end, shared)
    if (verdict === false) this.#paused = true
    return verdict
  }

  onMessage(length: number): void {
    if (length > 0) return
    if (this.#ended) {
      this.onViolation(1002, messageAfterEnd())
      return
    }
    this.#ended = true
    this.#progressed()
  }

  #tellEnd(): void {
    if (this.#endReported || this.closed) return
    this.#endReported = true
    this.#reader?.onEnd()
    if (this.#gone) this.#finish(undefined)
  }

  /** The end of the connection: without a close frame the link was cut. */
  onEnd(): void {
    if (this.#error !== undefined || this.#closeCame || (this.#ended && this.#ending)) this.#lower.end()
    else this.#fail(closeError(1006, nothing, undefined))
  }

  // Writing

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    if (this.#ending || this.#error !== undefined) return true
    let through = true
    for (let at = start; at < end; at += MESSAGE_BYTES) {
      const to = Math.min(end, at + MESSAGE_BYTES)
      // The memory in front of a later part is the previous part, which may not be sent yet.
      through = this.#frames.write(Opcode.binary, buffer, at, to, shared || at > start)
    }
    return through
  }

  end(): void {
    if (this.#ending || this.#error !== undefined) return
    this.#ending = true
    // An empty message ends the direction: WebSocket has no half-close.
    this.#frames.write(Opcode.binary, nothing, 0, 0, true)
    this.#progressed()
  }

  onPing(payload: Buffer): void {
    if (this.#closeSent || this.#socket.writableLength > MAX_QUEUED_FOR_PONG_BYTES) return
    this.#frames.write(Opcode.pong, payload, 0, payload.length, true)
  }

  // The end

  /** Both directions ended: the close frame follows the data. */
  #progressed(): void {
    if (this.#ended && this.#ending && this.#error === undefined) this.#close(1000)
  }

  onCloseFrame(code: number, reason: Buffer): void {
    this.#parser.stop()
    this.#closeCame = true
    // The peer closes after both ends, so it has received ours.
    if (this.#ended && this.#ending) return
    this.#close(code === 1005 ? 1000 : code)
    this.#fail(closeError(code, reason, undefined))
  }

  onViolation(code: number, error: RystraError): void {
    this.#parser.stop()
    this.#close(code)
    this.#fail(error)
  }

  /** Sends a close frame and closes the socket after a timeout once all data is with the kernel. */
  #close(code: number): void {
    if (this.#closeSent) return
    this.#closeSent = true
    const payload = Buffer.alloc(2)
    payload.writeUInt16BE(code)
    this.#frames.write(Opcode.close, payload, 0, 2, true)
    this.#lower.end()
    if (!this.#handing) this.#lower.resume()
    let firstTick = true
    this.#linger = setInterval(() => {
      const out = this.#socket.writableFinished
      // An orderly close may take as long as the data needs; after an error one interval.
      if (out || this.#error !== undefined || !firstTick) this.#socket.destroy()
      firstTick = this.#error === undefined
    }, CLOSE_TIMEOUT_MS).unref()
  }

  reset(): void {
    if (this.closed || this.#error !== undefined) return
    this.#error = new Error('reset by this side')
    this.#parser.stop()
    // Without a close frame the peer sees a reset.
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
    if (this.#error !== undefined || !this.#ended || !this.#ending || !sent)
      this.#fail(closeError(1006, nothing, cause))
    else if (this.#endReported) this.#finish(undefined)
  }

  #finish(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    clearInterval(this.#pinger)
    this.#back = []
    this.duplex.over(error)
    this.onClose?.(error)
  }
}
