import type { Address } from '@rystra/plugin'
import net from 'node:net'
import { type AcceptedHandle, offerHandles } from './accepted-handles.js'
import { setAcceptedOptions } from './accepted-options.js'
import type { InheritedSockets } from './inherited-sockets.js'
import { listWhileListening } from './listening-servers.js'

/** How a {@link TcpServer} listens. */
export interface TcpServerOptions extends Address {
  readonly backlog: number
  /** Milliseconds of silence after which the kernel probes a connection. */
  readonly keepAlive: number
  /** Not shared with the workers of a cluster. @default false */
  readonly exclusive?: boolean
  /** Whether other processes may bind the same address (SO_REUSEPORT). @default false */
  readonly reusePort?: boolean
  /** Connections are paused. @default false */
  readonly paused?: boolean
}

/** What accepts the connections of one address: of this process, or inherited by it. */
export interface TcpServer {
  readonly server: net.Server
  /** Once it listens, or is about to. */
  readonly address: Address
  listen(done: () => void): void
  /** Accepts no more. */
  close(): void
}

/**
 * Half-open connections. Errors are events of `server`.
 *
 * @param onHandle is asked before, see {@link offerHandles}
 */
export const tcpServer = (
  { host, port, backlog, keepAlive, exclusive = false, reusePort = false, paused = false }: TcpServerOptions,
  inherited: InheritedSockets | undefined,
  onConnection: (socket: net.Socket) => void,
  onHandle?: (handle: AcceptedHandle) => boolean
): TcpServer => {
  const found = inherited?.find(host, port)
  if (found !== undefined) {
    found.own(paused, onConnection, onHandle)
    const { server, socket } = found
    const setOptions = (): void => setAcceptedOptions(server, keepAlive)
    if (server.listening) setOptions()
    else server.once('listening', setOptions)
    return {
      server,
      address: { host: socket.host, port: socket.port },
      listen: (done) => found.listen(backlog, done),
      close: () => found.release()
    }
  }
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: paused }, onConnection)
  listWhileListening(server)
  server.once('listening', () => {
    setAcceptedOptions(server, keepAlive)
    if (onHandle !== undefined) offerHandles(server, onHandle)
  })
  return {
    server,
    get address() {
      const { address, port: bound } = server.address() as net.AddressInfo
      return { host: address, port: bound }
    },
    listen: (done) => {
      const options = { host, port, backlog, exclusive, ...(reusePort ? { reusePort } : {}) }
      server.listen(options as net.ListenOptions, done)
    },
    close: () => void server.close()
  }
}
