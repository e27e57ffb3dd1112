import { type Address, type ErrorCode, RystraError, type VisitorInfo } from '@rystra/model'
import { type RawStream, resetAtExit } from '@rystra/bytes'
import {
  type AcceptedHandle,
  type AcceptedSockets,
  type InheritedSockets,
  ProxiedConnections,
  type TcpServer,
  tcpServer
} from '@rystra/net'
import { hostPort } from '@rystra/address'
import type net from 'node:net'

/** A port that visitors connect to. */
export interface Bound {
  readonly address: Address
  /** No more visitors; the port is free when it resolves. Streams that are open go on. */
  close(): Promise<void>
}

const codes: Readonly<Record<string, ErrorCode>> = {
  EADDRINUSE: 'proxy.port-taken',
  EACCES: 'proxy.port-privileged',
  EADDRNOTAVAIL: 'listen.unavailable',
  ENOTFOUND: 'listen.unavailable'
}

/** What binding a port for visitors failed with. */
export const bindError = (cause: NodeJS.ErrnoException, host: string, port: number): RystraError => {
  const code = codes[cause.code ?? ''] ?? 'listen.failed'
  const detail = code === 'proxy.port-taken' ? `${port}, by another program` : `${host}:${port}`
  return new RystraError(code, { side: 'server', detail, cause })
}

/** Visitors that may wait to be accepted; the kernel may hold it lower (net.core.somaxconn). */
const BACKLOG = 4096

/** Milliseconds of silence after which the kernel asks whether a visitor is there: one that lost its network says nothing. */
const KEEP_ALIVE_MS = 60_000

/** Milliseconds for the header of the PROXY protocol, which comes with the first packet. */
const HEADER_TIMEOUT_MS = 10_000

/** What takes the visitors of a port. */
export interface VisitorHandlers {
  onVisitor(visitor: net.Socket): void
  /** Whether it comes through a load balancer that begins with a header of the PROXY protocol. */
  isProxied(visitor: net.Socket): boolean
  /** Whether visitors may come as raw streams, without a socket of Node. */
  takesRaw(): boolean
  onRaw(visitor: RawStream, info: VisitorInfo): void
}

/** Binds a TCP port for visitors. Rejects with `proxy.port-taken`, `proxy.port-privileged` or `listen.*`. */
export const bindPort = (
  address: Address,
  accepted: AcceptedSockets,
  extension: string,
  inherited: InheritedSockets,
  handlers: VisitorHandlers
): Promise<Bound> =>
  new Promise((resolve, reject) => {
    const { host, port } = address
    // Paused: the relay reads into memory of its own from the first byte on.
    let name = ''
    const headers = new ProxiedConnections({
      timeout: HEADER_TIMEOUT_MS,
      onRefused: (_visitor, error) => accepted.failed(name, error)
    })
    const options = { host, port, backlog: BACKLOG, keepAlive: KEEP_ALIVE_MS, exclusive: true, paused: true }
    const onSocket = (visitor: net.Socket): void => {
      if (!accepted.admit(visitor, name)) return
      resetAtExit(visitor)
      const handOver = (ready: net.Socket): void =>
        accepted.handOver(ready, { address: name, extension }, handlers.onVisitor)
      if (handlers.isProxied(visitor)) headers.take(visitor, handOver)
      else handOver(visitor)
    }
    const onHandle = (handle: AcceptedHandle): boolean =>
      handlers.takesRaw() && accepted.adopt(handle, { address: name, extension }, handlers.onRaw)
    const tcp = tcpServer(options, inherited, onSocket, onHandle)
    const { server } = tcp
    server.once('error', (error: NodeJS.ErrnoException) => reject(bindError(error, host, port)))
    tcp.listen(() => {
      // One accept that failed; the next may succeed.
      server.removeAllListeners('error').on('error', (error) => accepted.failed(name, error))
      const { address: bound } = tcp
      name = hostPort(bound.host, bound.port)
      resolve({ address: bound, close: () => release(tcp) })
    })
  })

/** The port is free as soon as `close` was called; its event waits for the last visitor. */
const release = (tcp: TcpServer): Promise<void> =>
  new Promise((resolve) => {
    tcp.close()
    setImmediate(resolve)
  })
