import { bindForms, type Endpoint, hostPort, parseEndpoint } from '@rystra/address'
import { AcceptedSockets, listenError } from '@rystra/net'
import type { Logger } from '@rystra/plugin'
import net from 'node:net'

/** A local port that leads to a remote service. */
export interface LocalPort {
  /** `127.0.0.1:3306` */
  readonly address: string
  /** Resolves when the port is free. Established connections go on. */
  close(): Promise<void>
}

/** Connections that may wait to be accepted; the kernel may cap it (net.core.somaxconn). */
const BACKLOG = 1024

/** Time without traffic until the kernel sends keep-alive probes. */
const KEEP_ALIVE_MS = 60_000

/** Host and port of `bind`. */
export const parseBind = (bind: string | number): Endpoint =>
  parseEndpoint(bind, bindForms, { name: 'bind', code: 'proxy.invalid', side: 'client' })

/** Binds a TCP port. Rejects with `listen.*`. */
export const openLocalPort = (
  bind: string | number,
  log: Logger,
  onVisitor: (visitor: net.Socket) => void
): Promise<LocalPort> =>
  new Promise((resolve, reject) => {
    const { host, port } = parseBind(bind)
    // Paused: the relay reads into its own memory from the first byte on.
    const options = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }
    const accepted = new AcceptedSockets({ log })
    let address = ''
    const server = net.createServer({ ...options, pauseOnConnect: true }, (visitor) => {
      if (accepted.admit(visitor, address))
        accepted.handOver(visitor, { address, extension: 'kind private' }, onVisitor)
    })
    server.once('error', (error) => reject(listenError(error, host, port)))
    server.listen({ host, port, exclusive: true, backlog: BACKLOG }, () => {
      // A failed accept, for example without descriptors; the next may succeed.
      server.removeAllListeners('error').on('error', (error) => accepted.failed(address, error))
      const bound = server.address() as net.AddressInfo
      address = hostPort(bound.address, bound.port)
      resolve({ address, close: () => release(server) })
    })
  })

/** The port is free as soon as `close` was called; its event waits for the last connection. */
const release = (server: net.Server): Promise<void> =>
  new Promise((resolve) => {
    server.close()
    setImmediate(resolve)
  })
