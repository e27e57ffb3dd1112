import type { Address, ByteLink, Listener, ListenOptions } from '@rystra/plugin'
import net from 'node:net'
import { asError, listenError } from './errors.js'
import type { TcpOptions } from './options.js'

/** Makes a link of a connected socket. Its peer is read now: a socket that is gone has none. */
export const linkOf = (socket: net.Socket): ByteLink => ({
  kind: 'bytes',
  duplex: socket,
  peer: { address: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 }
})

/** Binds, and hands over a link for each connection. */
export const listen = (
  options: TcpOptions,
  { host, port }: ListenOptions,
  onLink: (link: ByteLink) => void,
  signal: AbortSignal
): Promise<Listener> =>
  new Promise((resolve, reject) => {
    const server = net.createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: options.keepAlive },
      (socket) => onLink(linkOf(socket))
    )
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', aborted)
      reject(listenError(error, host, port))
    }
    const aborted = (): void => {
      server.close()
      fail(asError(signal.reason))
    }
    // Not Node's own `signal` option: where a name has to be looked up first, it binds after it was aborted.
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted)
    server.once('close', () => signal.removeEventListener('abort', aborted))
    server.once('error', fail)
    server.listen({ host, port, backlog: options.backlog }, () => {
      if (signal.aborted) {
        server.close()
        return
      }
      // From now on an error is one accept that failed, for want of descriptors say: the next one may succeed.
      server.removeAllListeners('error').on('error', () => {})
      const bound = server.address() as net.AddressInfo
      const address: Address = { host: bound.address, port: bound.port }
      resolve({ address, close: () => closed(server) })
    })
  })

/**
 * The address is free as soon as `close` is called; the event waits for the last connection, which is not ours to wait
 * for. A turn of the event loop lets the handle go.
 */
const closed = (server: net.Server): Promise<void> =>
  new Promise((resolve) => {
    server.close()
    setImmediate(resolve)
  })
