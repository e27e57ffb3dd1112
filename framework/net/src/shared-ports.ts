import type { Listener, ListenHost, TcpListening } from '@rystra/plugin'
import net from 'node:net'
import { asError, listenError } from './errors.js'

/** The TCP ports of one server. */
export class SharedPorts implements ListenHost {
  /** See {@link ListenHost.listenTcp}. */
  listenTcp(options: TcpListening, signal: AbortSignal): Promise<Listener> {
    const { host, port, backlog = 4096, keepAlive = 30_000 } = options
    return new Promise((resolve, reject) => {
      const server = net.createServer(
        { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAlive },
        (socket) => options.onSocket(socket)
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
      server.listen({ host, port, backlog }, () => {
        if (signal.aborted) {
          server.close()
          return
        }
        // From now on an error is one accept that failed, for want of descriptors say: the next one may succeed.
        server.removeAllListeners('error').on('error', () => {})
        const bound = server.address() as net.AddressInfo
        resolve({ address: { host: bound.address, port: bound.port }, close: () => closed(server) })
      })
    })
  }
}

/**
 * The address is free as soon as `close` is called; the event waits for the last connection, which is not ours to wait
 * for. A turn of the event loop lets the handle go.
 */
const closed = (server: net.Server): Promise<void> =>
  new Promise((resolve) => {
    server.close()
    setImmediate(resolve)
  })
