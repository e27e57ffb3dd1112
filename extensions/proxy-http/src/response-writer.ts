import { cutOff } from '@rystra/bytes'
import type { HeaderField } from '@rystra/plugin'
import { type ServerResponse, STATUS_CODES } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { byName, flat } from './fields.js'
import { resetH2 } from './reset-h2.js'

/** Milliseconds for which more bytes of a visitor are read after a response that ends the connection. */
const LINGER_MS = 1000

/** How a head is followed. */
export interface HeadOptions {
  /** The head is the whole response. */
  readonly ended: boolean
  /** Trailers may follow the body. */
  readonly mayHaveTrailers: boolean
  /** The connection ends with the response. */
  readonly close: boolean
  /** The names of trailers that the service announces. */
  readonly trailer: string | undefined
}

/** Writes one response in one version of HTTP. Nothing here throws for a visitor who is gone. */
export interface ResponseWriter {
  /** Whether responses of this status have no body. */
  isBodiless(status: number): boolean
  /** 1xx, RFC 9110 §15.2. */
  writeInformation(status: number, fields: readonly HeaderField[]): void
  /** Throws for a head that this version of HTTP cannot have. */
  writeHead(status: number, message: string, fields: readonly HeaderField[], options: HeadOptions): void
  /** Sends a head that nothing has followed yet. */
  flushHead(): void
  /** `false`: wait for `onDrain`. */
  write(chunk: Buffer): boolean
  end(body?: Buffer, trailers?: readonly HeaderField[]): void
  /** Shows that the response is not complete. `code`: for RST_STREAM. */
  breakOff(code?: number): void
  onDrain(listener: () => void): void
  /** Called when the response is sent, or the visitor gone. */
  onClose(listener: () => void): void
  /** Whether all of it was sent. */
  readonly complete: boolean
  /** The code with which the visitor reset the stream. */
  readonly resetCode: number | undefined
}

/** HTTP/1. */
export class H1Writer implements ResponseWriter {
  readonly response: ServerResponse
  readonly resetCode = undefined

  constructor(response: ServerResponse) {
    this.response = response
    response.on('error', () => {})
  }

  isBodiless(status: number): boolean {
    return status === 204 || status === 304 || this.response.req.method === 'HEAD'
  }

  writeInformation(status: number, fields: readonly HeaderField[]): void {
    const { response } = this
    // HTTP/1.0 has no informational responses.
    if (response.headersSent || response.req.httpVersion === '1.0') return
    if (status === 100) response.writeContinue()
    else {
      const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      response.socket?.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}\r\n`, 'latin1')
    }
  }

  writeHead(status: number, message: string, fields: readonly HeaderField[], options: HeadOptions): void {
    const { response } = this
    const raw = flat(fields)
    // Node accepts Trailer in front of chunks only.
    if (options.trailer !== undefined && response.useChunkedEncodingByDefault) raw.push('Trailer', options.trailer)
    if (options.close) raw.push('Connection', 'close')
    response.writeHead(status, message, raw)
    if (options.close) this.#linger()
  }

  flushHead(): void {
    this.response.flushHeaders()
  }

  write(chunk: Buffer): boolean {
    return this.response.write(chunk)
  }

  end(body?: Buffer, trailers: readonly HeaderField[] = []): void {
    const { response } = this
    if (trailers.length > 0 && response.chunkedEncoding) response.addTrailers(trailers as [string, string][])
    response.end(body)
  }

  /** Reads on for a moment: a reset over unread bytes would take the response with it. */
  #linger(): void {
    const { socket } = this.response
    if (socket === null) return
    socket.destroySoon = () => {
      socket.end()
      const timer = setTimeout(() => socket.destroy(), LINGER_MS)
      socket.once('close', () => clearTimeout(timer))
      socket.resume()
    }
  }

  breakOff(): void {
    const { socket } = this.response
    if (socket === null) return
    // A response without a length would end well with its connection.
    if ('encrypted' in socket) socket.destroy()
    else cutOff(socket)
  }

  onDrain(listener: () => void): void {
    this.response.on('drain', listener)
  }

  onClose(listener: () => void): void {
    this.response.once('close', listener)
  }

  get complete(): boolean {
    return this.response.writableFinished
  }
}

/** HTTP/2, RFC 9113 §8.1: END_STREAM is on the last frame that is known to be the last. */
export class H2Writer implements ResponseWriter {
  readonly #stream: ServerHttp2Stream
  readonly #isHead: boolean
  #trailers: readonly HeaderField[] = []
  #ended = false
  #broken = false

  constructor(stream: ServerHttp2Stream, method: string) {
    this.#stream = stream
    this.#isHead = method === 'HEAD'
    stream.on('error', () => {})
  }

  get #open(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed
  }

  isBodiless(status: number): boolean {
    return status === 204 || status === 205 || status === 304 || this.#isHead
  }

  writeInformation(status: number, fields: readonly HeaderField[]): void {
    if (!this.#open || this.#stream.headersSent) return
    this.#stream.additionalHeaders({ ...byName(fields), ':status': status })
  }

  writeHead(status: number, _message: string, fields: readonly HeaderField[], options: HeadOptions): void {
    if (!this.#open) return
    const stream = this.#stream
    const endStream = options.ended || this.isBodiless(status)
    const waitForTrailers = !endStream && options.mayHaveTrailers
    const head = { ...byName(fields), ':status': status }
    stream.respond(head, { endStream, waitForTrailers })
    if (!waitForTrailers) return
    stream.once('wantTrailers', () => {
      if (this.#open) stream.sendTrailers(byName(this.#trailers))
    })
  }

  flushHead(): void {}

  write(chunk: Buffer): boolean {
    return !this.#open || this.#stream.write(chunk)
  }

  end(body?: Buffer, trailers: readonly HeaderField[] = []): void {
    this.#trailers = trailers
    this.#ended = true
    if (!this.#stream.writableEnded) this.#stream.end(body)
  }

  breakOff(code: number = constants.NGHTTP2_INTERNAL_ERROR): void {
    this.#broken = true
    const stream = this.#stream
    resetH2(stream, code)
    // On a connection that has failed, nothing closes by itself.
    const timer = setTimeout(() => stream.destroy(), LINGER_MS)
    stream.once('close', () => clearTimeout(timer))
    if (stream.destroyed) clearTimeout(timer)
  }

  onDrain(listener: () => void): void {
    this.#stream.on('drain', listener)
  }

  onClose(listener: () => void): void {
    if (this.#stream.destroyed) setImmediate(listener)
    else this.#stream.once('close', listener)
  }

  get complete(): boolean {
    // Node ends a stream that is reset.
    return this.#ended && !this.#broken
  }

  get resetCode(): number | undefined {
    const { rstCode } = this.#stream
    return rstCode === constants.NGHTTP2_NO_ERROR ? undefined : rstCode
  }
}
