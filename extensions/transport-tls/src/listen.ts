import { readClientHello } from '@rystra/net'
import type { Link, Listener, ListenHost, ListenOptions, RystraError } from '@rystra/plugin'
import { errorFrame } from '@rystra/protocol'
import { openServerTls, type ServerTlsOptions, TlsAcceptor, type TlsHost } from '@rystra/tls'
import type { TLSSocket } from 'node:tls'
import { ALPN, linkOf } from './link.js'
import type { TlsTransportOptions } from './options.js'

/** Time a refused client has to read the error. */
const CLOSE_TIMEOUT_MS = 1000

interface Listening {
  readonly to: ListenOptions & ServerTlsOptions
  readonly options: TlsTransportOptions
  readonly host: TlsHost
  readonly ports: ListenHost
  readonly onLink: (link: Link) => void
}

/** Listens, and reloads its certificate files when they change. */
export const listenTls = async (
  { to, options, host, ports, onLink }: Listening,
  signal: AbortSignal
): Promise<Listener> => {
  const tls = await openServerTls(to, host)
  const acceptor = new TlsAcceptor({
    tls,
    alpn: [ALPN],
    host,
    handshakeTimeout: options.handshakeTimeout,
    handshakes: options.handshakes,
    onSocket: (socket, facts) => {
      // A client that offers no ALPN is accepted by TLS, but is not a client of Rystra.
      if (facts.alpn === ALPN) onLink(linkOf(socket, facts))
      else socket.on('error', () => {}).destroy()
    },
    onRefused: (socket, error) => refuse(socket, error, host)
  })
  const stop = (): void => {
    signal.removeEventListener('abort', stop)
    acceptor.close()
    tls.close()
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    const listener = await ports.listenTcp(
      {
        host: to.host,
        port: to.port,
        backlog: options.backlog,
        keepAlive: options.keepAlive,
        recognises: (head) => {
          const hello = readClientHello(head)
          return hello === undefined ? undefined : hello?.alpn.includes(ALPN) === true
        },
        onSocket: (socket) => acceptor.take(socket)
      },
      signal
    )
    return {
      address: listener.address,
      ...(tls.join === undefined ? {} : { join: tls.join }),
      close: () => {
        stop()
        return listener.close()
      }
    }
  } catch (error) {
    stop()
    throw error
  }
}

/** Sends the error in a frame of the protocol, as for a refused proof. */
const refuse = (socket: TLSSocket, error: RystraError, { clock }: TlsHost): void => {
  const cancel = clock.after(CLOSE_TIMEOUT_MS, () => socket.destroy())
  socket.once('close', cancel)
  socket.end(errorFrame(error, { detail: false }))
  socket.resume()
}
