import type { HeaderField, Respond } from '@rystra/plugin'
import { STATUS_CODES } from 'node:http'
import { isField, isReserved, trailersOf } from './fields.js'
import type { Page } from './pages.js'
import type { Problem } from './problem.js'
import type { ResponseWriter } from './response-writer.js'
import type { UpstreamResponse } from './upstream.js'

/** Informational responses that are passed on with one response: they wait in memory for a visitor that does not read. */
const MAX_INFORMATION = 16

const isPassed = (field: HeaderField): boolean => isField(field) && !isReserved(field[0].toLowerCase())

/** The response to a visitor. */
export class VisitorResponse {
  readonly writer: ResponseWriter
  /** Bytes of the body. */
  bytes = 0
  status = 0
  begun = false
  /** The visitor was told to send the body. */
  sent100Continue = false
  /** The connection was given to another protocol. */
  detached = false
  #broken = false
  #information = 0

  constructor(writer: ResponseWriter) {
    this.writer = writer
  }

  writeContinue(): void {
    if (this.begun || this.sent100Continue) return
    this.sent100Continue = true
    this.writer.writeInformation(100, [])
  }

  /** Passes on a response before the final one. 101 is no such response, RFC 9110 §15.2. */
  inform(status: number, fields: readonly HeaderField[]): void {
    if (this.begun || status < 102 || status > 199 || this.#information >= MAX_INFORMATION) return
    this.#information += 1
    try {
      this.writer.writeInformation(status, fields.filter(isPassed))
    } catch {
      // The final response does not depend on it.
    }
  }

  /** Answers with a page that names the problem. */
  refuse({ status, retryAfter, code }: Problem, page: Page, close: boolean): void {
    const fields: HeaderField[] = [
      ['Content-Type', page.type],
      ['Cache-Control', 'no-store']
    ]
    if (status === 401) fields.push(['WWW-Authenticate', 'Basic realm="restricted", charset="UTF-8"'])
    if (status === 405) fields.push(['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'])
    if (retryAfter !== undefined) fields.push(['Retry-After', String(Math.ceil(retryAfter))])
    fields.push(['X-Rystra-Error', code])
    this.send(status, fields, page.body, close)
  }

  /** A response that is made here. */
  send(status: number, fields: readonly HeaderField[], body: Buffer, close: boolean): void {
    if (this.begun) return
    const measured = status !== 204 && status !== 304
    const head: HeaderField[] = measured ? [...fields, ['Content-Length', String(body.length)]] : [...fields]
    const ended = this.writer.isBodiless(status)
    this.#head(status, STATUS_CODES[status] ?? '', head, { ended, mayHaveTrailers: false, close, trailer: undefined })
    if (!ended) this.bytes = body.length
    this.writer.end(ended ? undefined : body)
  }

  /** A response that a hook gave. */
  sendHooked({ status, headers = [], body = '' }: Respond['respond'], close: boolean): void {
    const fields = headers.map(([name, value]): HeaderField => [name, value]).filter(isPassed)
    const valid = Number.isInteger(status) && status >= 200 && status <= 599
    this.send(valid ? status : 500, fields, Buffer.from(body), close)
  }

  #head(...[status, ...rest]: Parameters<ResponseWriter['writeHead']>): void {
    this.status = status
    this.writer.writeHead(status, ...rest)
    // Not when that throws: another head may be written then.
    this.begun = true
  }

  /** The response of a service, as fast as the visitor takes it. `onProgress` is called for each piece. */
  pass(
    upstream: UpstreamResponse,
    status: number,
    fields: HeaderField[],
    close: boolean,
    onProgress: () => void
  ): void {
    const { writer } = this
    const { body, length, mayHaveTrailers } = upstream
    const bodiless = writer.isBodiless(status)
    // RFC 9110 §8.6: none in a 204; that of a 304 is for the status 200.
    const measured = status !== 204 && (status !== 205 || !bodiless) && (status === 304 || upstream.status !== 304)
    if (length !== undefined && measured) fields.push(['Content-Length', length])
    const trailer = bodiless ? undefined : upstream.trailer
    this.#head(status, upstream.message, fields, { ended: upstream.ended, mayHaveTrailers, close, trailer })
    // The head is sent with what follows it at once, and is not kept until something does.
    const flush = setImmediate(() => writer.flushHead())
    body.on('data', (chunk: Buffer) => {
      clearImmediate(flush)
      if (bodiless) return
      this.bytes += chunk.length
      onProgress()
      if (!writer.write(chunk)) body.pause()
    })
    writer.onDrain(() => {
      onProgress()
      body.resume()
    })
    body.on('end', () => {
      clearImmediate(flush)
      if (this.#broken) return
      // HTTP/1.1 has trailers behind chunks only.
      writer.end(undefined, trailersOf(upstream.trailers()))
    })
  }

  /** Shows the visitor that the response is not complete. `code`: for RST_STREAM. */
  breakOff(code?: number): void {
    this.#broken = true
    this.writer.breakOff(code)
  }
}
