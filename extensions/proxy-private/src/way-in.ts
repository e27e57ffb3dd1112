import { bindForms, type Endpoint, hostPort, parseEndpoint } from '@rystra/address'
import { listenError } from '@rystra/net'
import net from 'node:net'

/** A port of this machine that leads to a service elsewhere. */
export interface WayIn {
  /** `127.0.0.1:3306` */
  readonly address: string
  /** Free when it resolves. Connections that are up go on. */
  close(): Promise<void>
}

/** Connections that may wait to be accepted; the kernel may hold it lower (net.core.somaxconn). */
const BACKLOG = 1024

/** Milliseconds of silence after which the kernel asks whether a program is there. */
const KEEP_ALIVE = 60_000

/** Host and port of `bind`. */
export const parseBind = (bind: string | number): Endpoint =>
  parseEndpoint(bind, bindForms, { name: 'bind', code: 'proxy.invalid', side: 'client' })

/** Binds a TCP port. Rejects with `listen.*`. */
export const openWayIn = (bind: string | number, onVisitor: (visitor: net.Socket) => void): Promise<WayIn> =>
  new Promise((resolve, reject) => {
    const { host, port } = parseBind(bind)
    // Paused: the relay reads into memory of its own from the first byte on.
    const options = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE }
    const server = net.createServer({ ...options, pauseOnConnect: true }, onVisitor)
    server.once('error', (error) => reject(listenError(error, host, port)))
    server.listen({ host, port, exclusive: true, backlog: BACKLOG }, () => {
      // One accept that failed, for want of descriptors say; the next may succeed.
      server.removeAllListeners('error').on('error', () => {})
      const bound = server.address() as net.AddressInfo
      resolve({ address: hostPort(bound.address, bound.port), close: () => release(server) })
    })
  })

/** The port is free as soon as `close` was called; its event waits for the last connection. */
const release = (server: net.Server): Promise<void> =>
  new Promise((resolve) => {
    server.close()
    setImmediate(resolve)
  })
