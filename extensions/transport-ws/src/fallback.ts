import { type Endpoint, parseHttpEndpoint, type UnixEndpoint } from '@rystra/address'
import { pump, rawOf } from '@rystra/bytes'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream'

/** Hop-by-hop headers, RFC 9110 section 7.6.1, without those that delimit the body: Node needs them again. */
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'te', 'trailer', 'expect'])

/** Headers that `Connection` cannot remove: they delimit the message or name its target. */
const needed = new Set(['content-length', 'transfer-encoding', 'host'])

/** What the fallback server is told about the client. */
export interface Forwarded {
  /** The address of the connection. */
  readonly from: string
  /** Whether its `X-Forwarded-*` headers are passed on. */
  readonly trusted: boolean
  readonly secure: boolean
}

const pairs = function* (raw: readonly string[]): Generator<readonly [name: string, value: string]> {
  for (let at = 0; at + 1 < raw.length; at += 2) yield [raw[at] as string, raw[at + 1] as string]
}

/** End-to-end headers in their original form. */
const endToEnd = ({ rawHeaders, headers }: IncomingMessage): string[] => {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase())
  const left = [...pairs(rawHeaders)].filter(([name]) => {
    const lower = name.toLowerCase()
    return !hopByHop.has(lower) && (needed.has(lower) || !named.includes(lower))
  })
  return left.flat()
}

/** Adds `X-Forwarded-*`. Values from untrusted peers are replaced. */
const withForwarded = (raw: readonly string[], { from, trusted, secure }: Forwarded): string[] => {
  const before: string[] = []
  let proto = secure ? 'https' : 'http'
  const left = [...pairs(raw)].filter(([name, value]) => {
    const lower = name.toLowerCase()
    if (lower === 'x-forwarded-for' && trusted) before.push(value)
    if (lower === 'x-forwarded-proto' && trusted) proto = value
    return lower !== 'x-forwarded-for' && lower !== 'x-forwarded-proto'
  })
  return [...left.flat(), 'X-Forwarded-For', [...before, from].join(', '), 'X-Forwarded-Proto', proto]
}

/** Forwards requests to another HTTP server. */
export class Fallback {
  readonly #target: Endpoint | UnixEndpoint

  constructor(fallback: string) {
    this.#target = parseHttpEndpoint(fallback, 'fallback')
  }

  request(request: IncomingMessage, response: ServerResponse, forwarded: Forwarded): void {
    const { method, url } = request
    const target = 'path' in this.#target ? { socketPath: this.#target.path } : this.#target
    const headers = withForwarded(endToEnd(request), forwarded) as unknown as http.OutgoingHttpHeaders
    const upstream = http.request({ ...target, method, path: url, headers, agent: false, setHost: false })
    const failed = (): void => {
      upstream.destroy()
      if (response.headersSent) response.destroy()
      else response.writeHead(502, { 'Content-Type': 'text/plain' }).end('The server upstream does not answer.\n')
    }
    upstream.on('error', failed)
    upstream.on('response', (answer) => {
      response.sendDate = false
      try {
        response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer))
      } catch {
        // Its parser takes a status and characters that a head written by Node cannot have.
        return failed()
      }
      pipeline(answer, response, () => {})
    })
    // The server switches protocols without being asked to.
    upstream.on('upgrade', (_answer, socket) => {
      socket.destroy()
      failed()
    })
    response.on('close', () => upstream.destroy())
    pipeline(request, upstream, () => {})
  }

  /** Forwards an upgrade, and then the bytes of the connection. */
  upgrade(request: IncomingMessage, client: Duplex, head: Buffer, forwarded: Forwarded): void {
    const upstream = net.connect({ ...this.#target, allowHalfOpen: true })
    client.on('error', () => upstream.destroy())
    client.once('close', () => upstream.destroy())
    upstream.once('error', () => client.destroy())
    upstream.once('connect', () => {
      upstream.removeAllListeners('error').on('error', () => {})
      const lines = [...pairs(withForwarded(request.rawHeaders, forwarded))].map(([name, value]) => `${name}: ${value}`)
      const begin = [`${request.method} ${request.url} HTTP/${request.httpVersion}`, ...lines, '', ''].join('\r\n')
      upstream.write(Buffer.concat([Buffer.from(begin, 'latin1'), head]))
      pump(rawOf(client), rawOf(upstream), () => {})
    })
  }
}
