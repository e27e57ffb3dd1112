import { cutOff } from '@rystra/bytes'
import type { HeaderField } from '@rystra/plugin'
import { type ServerResponse, STATUS_CODES } from 'node:http'
import { constants, type Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Answer } from './ask.js'
import { byName, flat, trailersOf } from './fields.js'
import type { Page } from './pages.js'
import type { Problem } from './problem.js'

/** Milliseconds for which a visitor is heard after an answer that ends the connection. */
const LINGER = 1000

/** Hints that are passed on with one answer: they wait in memory for a visitor who does not read. */
const HINTS = 16

/** The answer to a visitor, by either version of HTTP. */
export class Reply {
  readonly #response: ServerResponse | Http2ServerResponse
  /** Bytes of the body. */
  bytes = 0
  status = 0
  begun = false
  /** The visitor was told to send the body. */
  wentOn = false
  /** The socket is another protocol's. */
  left = false
  #broken = false
  #hints = 0

  constructor(response: ServerResponse | Http2ServerResponse) {
    this.#response = response
    response.on('error', () => {})
  }

  get #h1(): ServerResponse | undefined {
    return 'assignSocket' in this.#response ? this.#response : undefined
  }

  /** Whether an answer of this status has no body. */
  #isBare(status: number): boolean {
    const { method } = (this.#response.req ?? {}) as { method?: string }
    return status === 204 || status === 304 || method === 'HEAD' || (status === 205 && this.#h1 === undefined)
  }

  /** Whether all of it has gone out. */
  get wasWhole(): boolean {
    // An HTTP/2 stream that was reset says that it is finished, too.
    return this.#h1 === undefined ? this.#response.writableEnded && !this.#broken : this.#response.writableFinished
  }

  goOn(): void {
    if (this.begun || this.wentOn) return
    this.wentOn = true
    // Node's HTTP/2 throws for a visitor who is gone, before it tells that it is.
    if (this.#h1 === undefined && (this.#response as Http2ServerResponse).stream.destroyed) return
    this.#response.writeContinue()
  }

  /** 103, if the visitor can have it; RFC 9110 §15.2 lets a proxy keep others to itself. */
  inform(status: number, fields: readonly HeaderField[]): void {
    const old = this.#response.req?.httpVersion === '1.0'
    if (this.begun || old || status !== 103 || this.#hints >= HINTS) return
    this.#hints += 1
    const hints = byName(fields.filter(([name]) => !/^(connection|transfer-encoding|content-length)$/i.test(name)))
    try {
      if (hints.link !== undefined) this.#response.writeEarlyHints({ ...hints, link: hints.link })
    } catch {
      // A hint that cannot be written is no loss.
    }
  }

  #head(status: number, message: string, fields: string[] | readonly HeaderField[], close: boolean): void {
    this.status = status
    const pairs = fields.length > 0 && Array.isArray(fields[0])
    const h1 = this.#h1
    if (h1 === undefined) {
      const list = pairs ? (fields as HeaderField[]) : paired(fields as string[])
      this.#response.writeHead(status, byName(list) as never)
    } else {
      const raw = pairs ? flat(fields as HeaderField[]) : (fields as string[])
      if (close) raw.push('Connection', 'close')
      h1.writeHead(status, message, raw)
    }
    // Not when that throws: another head may be written then.
    this.begun = true
  }

  /** Answers with a page that names what is wrong. */
  refuse({ status, retryAfter, code }: Problem, page: Page, close: boolean): void {
    const fields = ['Content-Type', page.type, 'Cache-Control', 'no-store']
    if (status === 401) fields.push('WWW-Authenticate', 'Basic realm="restricted", charset="UTF-8"')
    if (status === 405) fields.push('Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS')
    if (retryAfter !== undefined) fields.push('Retry-After', String(Math.ceil(retryAfter)))
    fields.push('X-Rystra-Error', code)
    this.whole(status, fields, page.body, close)
  }

  /** An answer that is made here. */
  whole(status: number, fields: string[], body: Buffer, close: boolean): void {
    if (this.begun) return
    const raw = status === 204 || status === 304 ? fields : [...fields, 'Content-Length', String(body.length)]
    this.#head(status, STATUS_CODES[status] ?? '', raw, close)
    if (close) this.#linger()
    if (this.#isBare(status)) this.#response.end()
    else {
      this.bytes = body.length
      this.#response.end(body)
    }
  }

  /** Whoever still sends what nobody wants is heard for a moment: a reset would take the answer away. */
  #linger(): void {
    const socket = this.#h1?.socket
    if (socket === undefined || socket === null) return
    socket.destroySoon = () => {
      socket.end()
      const timer = setTimeout(() => socket.destroy(), LINGER)
      socket.once('close', () => clearTimeout(timer))
      socket.resume()
    }
  }

  /** The answer of a service, as fast as the visitor takes it. */
  pass(answer: Answer, status: number, fields: HeaderField[], close: boolean, moved: () => void): void {
    const response = this.#response
    const { body } = answer
    const bare = this.#isBare(status)
    // RFC 9110 §8.6: none in a 204; that of a 304 is none of another status. Node's HTTP/2 has no body in a 205.
    const measured = status !== 204 && (status !== 205 || !bare) && (status === 304 || answer.status !== 304)
    if (answer.length !== undefined && measured) fields.push(['Content-Length', answer.length])
    // Node has it in front of chunks only.
    if (answer.trailer !== undefined && !bare && this.#h1?.useChunkedEncodingByDefault === true)
      fields.push(['Trailer', answer.trailer])
    this.#head(status, answer.message, fields, close)
    // The head goes with what follows it at once, and is not kept until something does.
    const alone = setImmediate(() => this.#h1?.flushHeaders())
    body.on('data', (chunk: Buffer) => {
      clearImmediate(alone)
      if (bare) return
      this.bytes += chunk.length
      moved()
      if ((response as ServerResponse).write(chunk)) return
      body.pause()
    })
    response.on('drain', () => {
      moved()
      body.resume()
    })
    body.on('end', () => {
      clearImmediate(alone)
      if (this.#broken) return
      const trailers = trailersOf(answer.trailers())
      // HTTP/1.1 has a place for them behind chunks only.
      const room = this.#h1 === undefined || (answer.length === undefined && this.#h1.chunkedEncoding)
      if (trailers.length > 0 && room) {
        if (this.#h1 === undefined) (response as Http2ServerResponse).addTrailers(byName(trailers) as never)
        else this.#h1.addTrailers(trailers)
      }
      response.end()
    })
  }

  /** Shows the visitor that the answer is not whole. */
  breakOff(): void {
    this.#broken = true
    const h1 = this.#h1
    if (h1 === undefined) {
      const { stream } = this.#response as Http2ServerResponse
      stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      // On a connection that has ended with an error, nothing closes by itself.
      const timer = setTimeout(() => stream.destroy(), LINGER)
      stream.once('close', () => clearTimeout(timer))
      if (stream.destroyed) clearTimeout(timer)
      return
    }
    const socket: Duplex | null = h1.socket
    if (socket === null) return
    // An answer without a length would end well with its connection.
    if ('encrypted' in socket) socket.destroy()
    else cutOff(socket)
  }

  /** Nothing more is written here: the socket is another protocol's. */
  leave(socket: Duplex): void {
    this.left = true
    this.begun = true
    this.#h1?.detachSocket(socket as never)
  }
}

const paired = (raw: readonly string[]): HeaderField[] => {
  const fields: HeaderField[] = []
  for (let index = 0; index < raw.length; index += 2) fields.push([raw[index] as string, raw[index + 1] as string])
  return fields
}
