import { Type } from '@rystra/plugin'
import net from 'node:net'
import { asError, dialError } from './errors.js'

/** Fields of `client.connect` that every transport over TCP has: spread them into its `dialOptions`. */
export const dialFields = {
  proxy: Type.Optional(
    Type.String({
      description:
        'Proxy to dial through: `http://user:password@host:3128`, `https://…` or `socks5://…`; `none` for no proxy. Without it HTTPS_PROXY, ALL_PROXY and NO_PROXY of the environment count.'
    })
  )
}

/** Where to dial, and how. */
export interface DialTcpOptions {
  readonly host: string
  readonly port: number
  /** See {@link dialFields}. */
  readonly proxy?: string
  /** Milliseconds of silence after which the kernel probes the connection. @default 30000 */
  readonly keepAlive?: number
}

/**
 * Connects: half-open allowed, no delay. Tries the addresses of a name in turn, IPv6 and IPv4 (RFC 8305). Rejects with
 * `connect.unreachable`, `connect.proxy` or `connect.proxy-auth`.
 */
export const dialTcp = ({ host, port, keepAlive = 30_000 }: DialTcpOptions, signal: AbortSignal): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(dialError(asError(signal.reason), host, port))
    const socket = net.connect({
      host,
      port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAlive,
      autoSelectFamily: true
    })
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', aborted)
      socket.destroy()
      reject(dialError(error, host, port))
    }
    const aborted = (): void => fail(asError(signal.reason))
    signal.addEventListener('abort', aborted, { once: true })
    socket.once('error', fail)
    socket.once('connect', () => {
      signal.removeEventListener('abort', aborted)
      socket.removeListener('error', fail)
      resolve(socket)
    })
  })
