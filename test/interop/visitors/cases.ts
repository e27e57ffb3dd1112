import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { loopback } from '../../bench/address.js'
import { echoSocket } from './socket-echo.js'

/** What the service saw of a request when it was over. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly trailers: NodeJS.Dict<string>
  readonly bytes: number
  readonly digest: string
}

export const letters = Array.from({ length: 10_000 }, (_, index) => `${index}\n`).join('')

/** A service for one case each, by path. */
export class Cases {
  readonly seen: Seen[] = []
  /** Bodies of refused uploads, in bytes. */
  refusedBytes = 0
  port = 0
  readonly #server = http.createServer((request, response) => void this.#answer(request, response))

  async start(): Promise<void> {
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      const [, refusal] = /^\/refuse\/(\d+)/.exec(request.url ?? '') ?? []
      if (refusal === undefined) {
        response.writeContinue()
        void this.#answer(request, response)
        return
      }
      request.on('data', (chunk: Buffer) => {
        this.refusedBytes += chunk.length
      })
      response.writeHead(Number(refusal), { Connection: 'close' }).end(`no, ${refusal}`)
    })
    this.#server.on('upgrade', (request, socket, head) => {
      echoSocket(request, socket, head, { messages: 0, returned: 0 })
    })
    this.#server.listen(0, loopback)
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  /** The last that was asked at a path. */
  last(path: string): Seen {
    const seen = this.seen.findLast((one) => one.path === path)
    if (seen === undefined) throw new Error(`the service was not asked for ${path}`)
    return seen
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hash = createHash('sha256')
    let bytes = 0
    try {
      for await (const chunk of request) {
        hash.update(chunk as Buffer)
        bytes += (chunk as Buffer).length
      }
    } catch {
      return
    }
    const { method = '', url: path = '', headers, trailers } = request
    const seen: Seen = { method, path, headers, trailers, bytes, digest: hash.digest('hex') }
    this.seen.push(seen)
    if (path === '/range') return this.#range(request, response)
    if (path === '/trailers') {
      response.writeHead(200, { Trailer: 'X-Sum, X-Count' })
      response.write('part one, ')
      response.write('part two\n')
      response.addTrailers({ 'X-Sum': 'abc123', 'X-Count': '2' })
      response.end()
      return
    }
    if (path === '/hints') {
      response.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' })
      response.end('after hints\n')
      return
    }
    if (path === '/nothing') {
      response.writeHead(204).end()
      return
    }
    response.setHeader('Content-Length', letters.length)
    response.end(letters)
  }

  #range(request: IncomingMessage, response: ServerResponse): void {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(String(request.headers.range)) ?? []
    const all = Buffer.from(letters)
    if (from === undefined || Number(from) >= all.length) {
      response.writeHead(416, { 'Content-Range': `bytes */${all.length}` }).end()
      return
    }
    const body = all.subarray(Number(from), Number(to) + 1)
    response.writeHead(206, {
      'Content-Range': `bytes ${from}-${to}/${all.length}`,
      'Content-Length': body.length
    })
    response.end(body)
  }
}
