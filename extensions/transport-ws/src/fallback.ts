import { pump, rawOf } from '@rystra/bytes'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream'

/** Where the other HTTP server is. */
type Target = { readonly host: string; readonly port: number } | { readonly path: string }

const targetOf = (fallback: string): Target => {
  if (fallback.startsWith('unix:')) return { path: fallback.slice(5) }
  const { hostname, port } = new URL(fallback.startsWith('http://') ? fallback : `http://${fallback}`)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) }
}

/** Headers that are about one connection, RFC 9110 §7.6.1. How a body ends is not: Node needs to be told again. */
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'te', 'trailer', 'expect'])

/** What `Connection` cannot take away: where the message ends, and whom it is for. */
const needed = new Set(['content-length', 'transfer-encoding', 'host'])

/** What a server behind this one is told of the client. */
export interface Forwarded {
  /** The address that connected here. */
  readonly from: string
  /** Whether what it says of others is passed on. */
  readonly trusted: boolean
  readonly secure: boolean
}

const pairs = function* (raw: readonly string[]): Generator<readonly [name: string, value: string]> {
  for (let at = 0; at + 1 < raw.length; at += 2) yield [raw[at] as string, raw[at + 1] as string]
}

/** What is not about this connection, as it was written. */
const endToEnd = ({ rawHeaders, headers }: IncomingMessage): string[] => {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase())
  const left = [...pairs(rawHeaders)].filter(([name]) => {
    const lower = name.toLowerCase()
    return !hopByHop.has(lower) && (needed.has(lower) || !named.includes(lower))
  })
  return left.flat()
}

/** The headers with those that tell who the client is. Who is not trusted cannot say that it is somebody else. */
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

/** Hands requests on to another HTTP server. */
export class Fallback {
  readonly #target: Target

  constructor(fallback: string) {
    this.#target = targetOf(fallback)
  }

  request(request: IncomingMessage, response: ServerResponse, forwarded: Forwarded): void {
    const { method, url } = request
    const target = 'path' in this.#target ? { socketPath: this.#target.path } : this.#target
    const headers = withForwarded(endToEnd(request), forwarded) as unknown as http.OutgoingHttpHeaders
    const asked = http.request({ ...target, method, path: url, headers, agent: false, setHost: false })
    const failed = (): void => {
      asked.destroy()
      if (response.headersSent) response.destroy()
      else response.writeHead(502, { 'Content-Type': 'text/plain' }).end('The server behind does not answer.\n')
    }
    asked.on('error', failed)
    asked.on('response', (answer) => {
      response.sendDate = false
      try {
        response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer))
      } catch {
        // Its parser takes a status and characters that a head written by Node cannot have.
        return failed()
      }
      pipeline(answer, response, () => {})
    })
    // It took the request and wants another protocol, which nobody asked it for.
    asked.on('upgrade', (_answer, socket) => {
      socket.destroy()
      failed()
    })
    response.on('close', () => asked.destroy())
    pipeline(request, asked, () => {})
  }

  /** An upgrade of the other server's: the connection is its own from here on. */
  upgrade(request: IncomingMessage, client: Duplex, head: Buffer, forwarded: Forwarded): void {
    const behind = net.connect({ ...this.#target, allowHalfOpen: true })
    client.on('error', () => behind.destroy())
    client.once('close', () => behind.destroy())
    behind.once('error', () => client.destroy())
    behind.once('connect', () => {
      behind.removeAllListeners('error').on('error', () => {})
      const lines = [...pairs(withForwarded(request.rawHeaders, forwarded))].map(([name, value]) => `${name}: ${value}`)
      const begin = [`${request.method} ${request.url} HTTP/${request.httpVersion}`, ...lines, '', ''].join('\r\n')
      behind.write(Buffer.concat([Buffer.from(begin, 'latin1'), head]))
      pump(rawOf(client), rawOf(behind), () => {})
    })
  }
}
