import { readClientHello } from '@rystra/net'
import type { Link, Listener, ListenHost, ListenOptions } from '@rystra/plugin'
import { openServerTls, TlsAcceptor, type TlsHost } from '@rystra/tls'
import http from 'node:http'
import { Front } from './front.js'
import { DEFAULT_PATH, HANDSHAKE_TIMEOUT, MAX_UNDECIDED } from './limits.js'
import type { ListenWs, ListenWss } from './options.js'
import { WaitingRoom } from './waiting-room.js'

/** What listening needs. */
interface Listening {
  readonly onLink: (link: Link) => void
  readonly signal: AbortSignal
  readonly ports: ListenHost
  readonly host: TlsHost
}

const methods = http.METHODS.map((method) => `${method} `)

/** Any request of HTTP/1, not only an upgrade: whatever else comes to a port of ours gets a clean refusal. */
const isRequest = (head: Buffer): boolean | undefined => {
  const text = head.toString('latin1', 0, 32)
  if (methods.some((method) => text.startsWith(method))) return true
  return methods.some((method) => method.startsWith(text)) ? undefined : false
}

/** Whose TLS is HTTP/1.1, or nothing in particular. */
const isHttps = (head: Buffer): boolean | undefined => {
  const hello = readClientHello(head)
  if (hello === undefined) return undefined
  return hello !== null && (hello.alpn.length === 0 || hello.alpn.includes('http/1.1'))
}

/** The path is told to clients only where it is another than the usual. */
const joinOf = (path = DEFAULT_PATH): Readonly<Record<string, string>> => (path === DEFAULT_PATH ? {} : { path })

/** The listener with what clients need for it, and `also` called once when it closes, by itself or by the signal. */
const closing = (
  listener: Listener,
  join: Readonly<Record<string, string>>,
  signal: AbortSignal,
  also: () => void
): Listener => {
  signal.addEventListener('abort', also, { once: true })
  if (signal.aborted) also()
  return {
    address: listener.address,
    ...(Object.keys(join).length === 0 ? {} : { join }),
    close: () => {
      signal.removeEventListener('abort', also)
      also()
      return listener.close()
    }
  }
}

/** Listens for `ws`. */
export const listenWs = async (options: ListenOptions & Partial<ListenWs>, listening: Listening): Promise<Listener> => {
  const { onLink, signal, ports, host } = listening
  const room = new WaitingRoom(host.clock)
  const front = new Front(options, { room, onLink, log: host.log, transport: 'ws' })
  const listener = await ports.listenTcp(
    { host: options.host, port: options.port, recognises: isRequest, onSocket: (socket) => front.take(socket) },
    signal
  )
  return closing(listener, joinOf(options.path), signal, () => room.close())
}

/** Listens for `wss`. */
export const listenWss = async (
  options: ListenOptions & Partial<ListenWss>,
  listening: Listening
): Promise<Listener> => {
  const { onLink, signal, ports, host } = listening
  const room = new WaitingRoom(host.clock)
  const front = new Front(options, { room, onLink, log: host.log, transport: 'wss' })
  const identity = await openServerTls(options, host)
  const acceptor = new TlsAcceptor({
    tls: identity,
    alpn: ['http/1.1'],
    host,
    handshakeTimeout: HANDSHAKE_TIMEOUT,
    handshakes: MAX_UNDECIDED,
    onSocket: (socket) => front.take(socket),
    onRefused: (socket, error) => front.take(socket, error)
  })
  const close = (): void => {
    acceptor.close()
    identity.close()
    room.close()
  }
  try {
    const listener = await ports.listenTcp(
      { host: options.host, port: options.port, recognises: isHttps, onSocket: (socket) => acceptor.take(socket) },
      signal
    )
    return closing(listener, { ...identity.join, ...joinOf(options.path) }, signal, close)
  } catch (error) {
    close()
    throw error
  }
}
