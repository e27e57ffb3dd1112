import type { Address } from '@rystra/plugin'
import net from 'node:net'
import type { InheritedSockets } from './inherited-sockets.js'

/** How a {@link TcpServer} listens. */
export interface TcpServerOptions extends Address {
  readonly backlog: number
  /** Not shared with the workers of a cluster. @default false */
  readonly exclusive?: boolean
  /** Connections are paused. @default false */
  readonly paused?: boolean
}

/** What accepts the connections of one address: of this process, or inherited by it. */
export interface TcpServer {
  readonly server: net.Server
  listen(done: () => void): void
  /** Accepts no more. */
  close(): void
}

/** Half-open connections. Errors are events of `server`. */
export const tcpServer = (
  { host, port, backlog, exclusive = false, paused = false }: TcpServerOptions,
  inherited: InheritedSockets | undefined,
  onConnection: (socket: net.Socket) => void
): TcpServer => {
  const found = port === 0 ? undefined : inherited?.find(host, port)
  if (found !== undefined) {
    found.own(paused, onConnection)
    return {
      server: found.server,
      listen: (done) => found.listen(backlog, done),
      close: () => found.release()
    }
  }
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: paused }, onConnection)
  return {
    server,
    listen: (done) => void server.listen({ host, port, backlog, exclusive }, done),
    close: () => void server.close()
  }
}
