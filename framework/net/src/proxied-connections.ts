import { networks } from '@rystra/address'
import type { Socket } from 'node:net'
import { parseProxyHeader, type ProxiedAddresses } from './proxy-header.js'

/** Connections whose header has not arrived, at most; one more closes the oldest. Proxies send it with the first packet. */
const MAX_WAITING = 4096

/** What {@link ProxiedConnections} works with. */
export interface ProxiedConnectionsOptions {
  /** Milliseconds until the header must be there. */
  readonly timeout: number
  /** A connection has begun with something else, and was closed. */
  onRefused(socket: Socket, error: Error): void
}

/** Makes a connection have the addresses that a proxy has named. */
const setAddresses = (socket: Socket, addresses: ProxiedAddresses): void => {
  const family = addresses.remoteAddress.includes(':') ? 'IPv6' : 'IPv4'
  for (const [name, value] of Object.entries({ ...addresses, remoteFamily: family, localFamily: family })) {
    Object.defineProperty(socket, name, { value, configurable: true, enumerable: false })
  }
}

/** Whether an address is that of a proxy whose connections begin with a header. Throws `config.invalid`. */
export const proxiesOf = (listed: readonly string[], where: string): ((socket: Socket) => boolean) => {
  const has = networks(listed, where)
  return listed.length === 0 ? () => false : ({ remoteAddress }) => remoteAddress !== undefined && has(remoteAddress)
}

/**
 * Connections of load balancers that begin with a header of the PROXY protocol: it is read and taken away, and the socket has
 * the addresses of the client. A connection without a header is closed: only the proxy has its address.
 */
export class ProxiedConnections {
  readonly #options: ProxiedConnectionsOptions
  readonly #waiting = new Set<() => void>()

  constructor(options: ProxiedConnectionsOptions) {
    this.#options = options
  }

  /** Reads the header of a connection, then passes it on. */
  take(socket: Socket, then: (socket: Socket) => void): void {
    let head: Buffer = Buffer.alloc(0)
    const stop = (): void => {
      clearTimeout(timer)
      this.#waiting.delete(drop)
      socket.off('readable', read).off('end', drop).off('close', stop).off('error', drop)
    }
    const drop = (): void => {
      stop()
      socket.on('error', () => {}).destroy()
    }
    const refuse = (error: Error): void => {
      this.#options.onRefused(socket, error)
      drop()
    }
    const read = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read()) {
        head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      }
      try {
        const header = head.length === 0 ? undefined : parseProxyHeader(head)
        if (header === undefined) return
        stop()
        if (header.addresses !== undefined) setAddresses(socket, header.addresses)
        const rest = head.subarray(header.size)
        if (rest.length > 0) socket.unshift(rest)
      } catch (error) {
        refuse(error as Error)
        return
      }
      then(socket)
    }
    const timer = setTimeout(() => refuse(new Error('no header of the PROXY protocol in time')), this.#options.timeout)
    const [oldest] = this.#waiting
    if (this.#waiting.size >= MAX_WAITING) oldest?.()
    this.#waiting.add(drop)
    socket.on('readable', read).on('end', drop).on('close', stop).on('error', drop)
  }
}
