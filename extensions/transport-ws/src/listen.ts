import { readClientHello } from '@rystra/net'
import type { Link, Listener, ListenHost, ListenOptions } from '@rystra/plugin'
import { openServerTls, TlsAcceptor, type TlsHost } from '@rystra/tls'
import http from 'node:http'
import { HttpServer } from './http-server.js'
import { DEFAULT_PATH, HANDSHAKE_TIMEOUT_MS, MAX_PENDING } from './limits.js'
import type { ListenWs, ListenWss } from './options.js'
import { PendingRequests } from './pending-requests.js'

/** What both listeners need. */
interface Listening {
  readonly onLink: (link: Link) => void
  readonly signal: AbortSignal
  readonly ports: ListenHost
  readonly host: TlsHost
  /** See `WsOptions`. */
  readonly pingInterval: number
}

const methods = http.METHODS.map((method) => `${method} `)

/** Any HTTP/1 request, not only an upgrade: other requests get a proper refusal. */
const isRequest = (head: Buffer): boolean | undefined => {
  const text = head.toString('latin1', 0, 32)
  if (methods.some((method) => text.startsWith(method))) return true
  return methods.some((method) => method.startsWith(text)) ? undefined : false
}

/** TLS that offers HTTP/1.1, or no ALPN. */
const isHttps = (head: Buffer): boolean | undefined => {
  const hello = readClientHello(head)
  if (hello === undefined) return undefined
  return hello !== null && (hello.alpn.length === 0 || hello.alpn.includes('http/1.1'))
}

/** Clients need the path only where it differs from the default. */
const joinOf = (path = DEFAULT_PATH): Readonly<Record<string, string>> => (path === DEFAULT_PATH ? {} : { path })

/** Adds the join fields and calls `onClose` once, on close or abort. */
const closing = (
  listener: Listener,
  join: Readonly<Record<string, string>>,
  signal: AbortSignal,
  onClose: () => void
): Listener => {
  signal.addEventListener('abort', onClose, { once: true })
  if (signal.aborted) onClose()
  return {
    address: listener.address,
    ...(Object.keys(join).length === 0 ? {} : { join }),
    close: () => {
      signal.removeEventListener('abort', onClose)
      onClose()
      return listener.close()
    }
  }
}

/** Listens for `ws`. */
export const listenWs = async (options: ListenOptions & Partial<ListenWs>, listening: Listening): Promise<Listener> => {
  const { onLink, signal, ports, host, pingInterval } = listening
  const pending = new PendingRequests(host.clock)
  const server = new HttpServer(options, { pending, onLink, log: host.log, transport: 'ws', pingInterval })
  const listener = await ports.listenTcp(
    { host: options.host, port: options.port, recognises: isRequest, onSocket: (socket) => server.take(socket) },
    signal
  )
  return closing(listener, joinOf(options.path), signal, () => pending.close())
}

/** Listens for `wss`. */
export const listenWss = async (
  options: ListenOptions & Partial<ListenWss>,
  listening: Listening
): Promise<Listener> => {
  const { onLink, signal, ports, host, pingInterval } = listening
  const pending = new PendingRequests(host.clock)
  const server = new HttpServer(options, { pending, onLink, log: host.log, transport: 'wss', pingInterval })
  const tls = await openServerTls(options, host)
  const acceptor = new TlsAcceptor({
    tls,
    alpn: ['http/1.1'],
    host,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    handshakes: MAX_PENDING,
    onSocket: (socket) => server.take(socket),
    onRefused: (socket, error) => server.take(socket, error)
  })
  const close = (): void => {
    acceptor.close()
    tls.close()
    pending.close()
  }
  try {
    const listener = await ports.listenTcp(
      { host: options.host, port: options.port, recognises: isHttps, onSocket: (socket) => acceptor.take(socket) },
      signal
    )
    return closing(listener, { ...tls.join, ...joinOf(options.path) }, signal, close)
  } catch (error) {
    close()
    throw error
  }
}
