import { cutOff, type RawReader, type RawStream } from '@rystra/bytes'
import { RystraError } from '@rystra/plugin'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { WsDuplex } from './duplex.js'
import { brokenRule, closedBy } from './endings.js'
import { MESSAGE_SIZE } from './limits.js'

/** Bytes waiting to be sent at which a writer whose memory is free again has to wait nevertheless. */
const WRITE_LIMIT = 64 * 1024

/** An empty message: the sender will send no more. WebSocket itself has no end of one direction. */
const END = Buffer.alloc(0)

const BINARY = { binary: true }

/** The bytes of a WebSocket. {@link duplex} is the same stream for those who want Node's. */
export class WsStream implements RawStream {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false
  readonly duplex: WsDuplex

  readonly #ws: WebSocket
  readonly #socket: Socket
  /** A frame that is masked is a copy of what was given. */
  readonly #copied: boolean
  #reader: RawReader | undefined
  #paused = true
  /** Came, and was not read yet: no more than one read from the network. */
  #back: Buffer[] = []
  #ended = false
  #endTold = false
  #ending = false
  #endSent = false
  #sending = 0
  #blocked = false
  #gone = false
  #cause: Error | undefined
  #error: Error | undefined

  /** @param masked whether what is sent is masked with more than zeros */
  constructor(ws: WebSocket, socket: Socket, masked: boolean) {
    this.#ws = ws
    this.#socket = socket
    this.#copied = masked
    this.duplex = new WsDuplex(this)
    ws.pause()
    ws.on('message', this.#onMessage)
    ws.on('error', (error) => this.#fail(brokenRule(error)))
    ws.once('close', this.#onClosed)
    socket.once('error', (error) => {
      this.#cause = error
    })
  }

  // Reading

  read(reader: RawReader): void {
    if (reader !== this.#reader) {
      // What somebody has read ahead by the `Duplex` goes first.
      const ahead = this.#reader === this.duplex ? this.duplex.giveBack() : undefined
      this.#reader = reader
      this.#endTold = false
      if (ahead !== undefined) this.unread(ahead)
    }
    this.resume()
  }

  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#back.unshift(bytes)
  }

  pause(): void {
    this.#paused = true
    // After the end only the close is to come, which nobody has to wait for.
    if (!this.#ended) this.#ws.pause()
  }

  resume(): void {
    this.#paused = false
    this.#deliver()
  }

  readonly #onMessage = (data: WebSocket.RawData, isBinary: boolean): void => {
    if (this.#error !== undefined) return
    const bytes = data as Buffer
    if (!isBinary) this.#violated(1003, new RystraError('protocol.malformed', { detail: 'a text message' }))
    else if (this.#ended)
      this.#violated(1002, new RystraError('protocol.unexpected', { detail: 'bytes after the end' }))
    else if (bytes.length === 0) {
      this.#ended = true
      this.#ws.resume()
      this.#deliver()
      this.#progressed()
    } else if (this.#paused || this.#back.length > 0) this.#back.push(bytes)
    else if (this.#reader?.onBytes(bytes, 0, bytes.length, false) === false) this.pause()
  }

  #deliver(): void {
    const reader = this.#reader
    if (reader === undefined) return
    while (!this.#paused && this.#reader === reader && !this.closed) {
      const bytes = this.#back.shift()
      if (bytes === undefined) break
      if (reader.onBytes(bytes, 0, bytes.length, false) === false) this.#paused = true
    }
    if (this.#reader !== reader) return
    if (this.#paused) this.pause()
    else if (!this.#ended) this.#ws.resume()
    else if (!this.#endTold && !this.closed) {
      this.#endTold = true
      reader.onEnd()
      if (this.#gone) this.#finish(undefined)
    }
  }

  // Writing

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    if (this.#ending || this.#error !== undefined || this.#ws.readyState !== WebSocket.OPEN) return true
    const part = buffer.subarray(start, end)
    this.#send(shared && !this.#copied ? Buffer.from(part) : part)
    const waiting = this.#socket.writableLength
    if (waiting === 0 || ((shared || this.#copied) && waiting < WRITE_LIMIT)) return true
    this.#blocked = true
    return false
  }

  #send(bytes: Buffer): void {
    const several = bytes.length > MESSAGE_SIZE
    if (several) this.#socket.cork()
    for (let at = 0; at < bytes.length; at += MESSAGE_SIZE) {
      this.#sending += 1
      this.#ws.send(several ? bytes.subarray(at, at + MESSAGE_SIZE) : bytes, BINARY, this.#onSent)
    }
    if (several) this.#socket.uncork()
  }

  readonly #onSent = (error?: Error | null): void => {
    this.#sending -= 1
    if (this.#sending > 0 || !this.#blocked || (error !== undefined && error !== null)) return
    this.#blocked = false
    if (this.onWritable === undefined) this.duplex.written()
    else this.onWritable()
  }

  end(): void {
    if (this.#ending || this.#error !== undefined) return
    this.#ending = true
    this.#ws.send(END, BINARY, (error) => {
      this.#endSent = error === undefined || error === null
      this.#progressed()
    })
  }

  // The end

  /** Both directions are over, and all that was to be sent is with the kernel: so nothing is lost if nobody answers. */
  #progressed(): void {
    if (this.#ended && this.#endSent && this.#error === undefined) this.#ws.close(1000)
  }

  reset(): void {
    if (this.closed || this.#error !== undefined) return
    this.#error = new Error('reset by this side')
    // No end was said, so that the other side takes it for what it is.
    cutOff(this.#socket)
  }

  #violated(code: number, error: RystraError): void {
    this.#ws.close(code, error.detail)
    this.#fail(error)
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.#finish(this.#error)
  }

  readonly #onClosed = (code: number, reason: Buffer): void => {
    this.#gone = true
    const clean = this.#error === undefined && this.#ended && this.#endSent
    if (!clean) this.#fail(closedBy(code, reason, this.#cause))
    else if (this.#endTold) this.#finish(undefined)
  }

  #finish(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.#back = []
    this.duplex.over(error, this.#reader === this.duplex)
    this.onClose?.(error)
  }
}
