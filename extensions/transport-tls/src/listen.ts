import { readClientHello } from '@rystra/net'
import type { Link, Listener, ListenHost, ListenOptions, RystraError } from '@rystra/plugin'
import { errorFrame } from '@rystra/protocol'
import { openServerTls, type ServerTlsOptions, TlsAcceptor, type TlsHost } from '@rystra/tls'
import type { TLSSocket } from 'node:tls'
import { ALPN, linkOf } from './link.js'
import type { TlsTransportOptions } from './options.js'

/** Milliseconds a client that is refused has to read why. */
const FAREWELL = 1000

interface Listening {
  readonly to: ListenOptions & ServerTlsOptions
  readonly options: TlsTransportOptions
  readonly host: TlsHost
  readonly ports: ListenHost
  readonly onLink: (link: Link) => void
}

/** Listens, and reads its certificate again when that changes. */
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
      // Who asks for nothing by ALPN is none of ours.
      if (facts.alpn === ALPN) onLink(linkOf(socket, facts))
      else socket.on('error', () => {}).destroy()
    },
    onRefused: (socket, error) => refuse(socket, error, host)
  })
  const over = (): void => {
    signal.removeEventListener('abort', over)
    acceptor.close()
    tls.close()
  }
  signal.addEventListener('abort', over, { once: true })
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
        over()
        return listener.close()
      }
    }
  } catch (error) {
    over()
    throw error
  }
}

/** Says why in the words of the protocol, as a server does that refuses a proof. */
const refuse = (socket: TLSSocket, error: RystraError, { clock }: TlsHost): void => {
  const cancel = clock.after(FAREWELL, () => socket.destroy())
  socket.once('close', cancel)
  socket.end(errorFrame(error, { detail: false }))
  socket.resume()
}
