import { peerOf, readClientHello } from '@rystra/net'
import type { Link, Listener, ListenHost, ListenOptions } from '@rystra/plugin'
import { openServerTls, type ServerTlsOptions, TlsAcceptor, type TlsHost } from '@rystra/tls'
import type { Socket } from 'node:net'
import { Connection, type Listening } from './connection.js'
import { DEFAULT_PATH, type Http2Options } from './options.js'

/** What is asked for, and served, by ALPN (RFC 9113 section 3.2). */
export const ALPN = 'h2'

/** How a client with prior knowledge begins, RFC 9113 section 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n')

/** What listening needs. */
export interface ListenParts {
  readonly to: ListenOptions & { readonly path?: string } & ServerTlsOptions
  readonly options: Http2Options
  readonly host: TlsHost
  readonly ports: ListenHost
  readonly onLink: (link: Link) => void
}

const listening = ({ to, options, host, onLink }: ListenParts): Listening => ({
  path: to.path ?? DEFAULT_PATH,
  options,
  clock: host.clock,
  log: host.log,
  links: new Map(),
  arrivals: new Set(),
  onLink
})

/** Closes connections without a link. */
const dropArrivals = ({ arrivals }: Listening): void => {
  for (const connection of [...arrivals]) connection.drop()
}

const startsLike = (head: Buffer): boolean | undefined => {
  const length = Math.min(head.length, PREFACE.length)
  if (!head.subarray(0, length).equals(PREFACE.subarray(0, length))) return false
  return length === PREFACE.length ? true : undefined
}

/** Binds, and calls `over` when that ends. */
const bind = async (
  { to, options, ports }: ListenParts,
  signal: AbortSignal,
  recognises: (head: Buffer) => boolean | undefined,
  onSocket: (socket: Socket) => void,
  end: () => void
): Promise<Listener> => {
  const over = (): void => {
    signal.removeEventListener('abort', over)
    end()
  }
  signal.addEventListener('abort', over, { once: true })
  const { backlog, keepAlive } = options
  try {
    const listener = await ports.listenTcp(
      { host: to.host, port: to.port, backlog, keepAlive, recognises, onSocket },
      signal
    )
    return {
      address: listener.address,
      close: () => {
        over()
        return listener.close()
      }
    }
  } catch (error) {
    over()
    throw error
  }
}

/** HTTP/2 without TLS, with prior knowledge. */
export const listenH2c = (parts: ListenParts, signal: AbortSignal): Promise<Listener> => {
  const shared = listening(parts)
  const onSocket = (socket: Socket): void => {
    socket.on('error', () => {})
    new Connection(socket, peerOf(socket), shared)
  }
  return bind(parts, signal, startsLike, onSocket, () => dropArrivals(shared))
}

/** HTTP/2 over TLS. Reads its certificate again when that changes. */
export const listenHttp2 = async (parts: ListenParts, signal: AbortSignal): Promise<Listener> => {
  const shared = listening(parts)
  const { options, host } = parts
  const tls = await openServerTls(parts.to, host)
  const acceptor = new TlsAcceptor({
    tls,
    alpn: [ALPN],
    host,
    handshakeTimeout: options.arrivalTimeout,
    handshakes: options.maxArrivals,
    onSocket: (socket, facts) => {
      socket.on('error', () => {})
      // A client of the tunnel always asks for h2 by ALPN.
      if (facts.alpn === ALPN) new Connection(socket, peerOf(socket, facts), shared)
      else socket.destroy()
    },
    onRefused: (socket, error) => {
      socket.on('error', () => {})
      new Connection(socket, peerOf(socket), shared, error)
    }
  })
  const recognises = (head: Buffer): boolean | undefined => {
    const hello = readClientHello(head)
    return hello === undefined ? undefined : hello?.alpn.includes(ALPN) === true
  }
  const onSocket = (socket: Socket): void => acceptor.take(socket)
  const listener = await bind(parts, signal, recognises, onSocket, () => {
    acceptor.close()
    tls.close()
    dropArrivals(shared)
  })
  return tls.join === undefined ? listener : { ...listener, join: tls.join }
}
