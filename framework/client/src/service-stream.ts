import { joinQuietly, PairedDuplex } from '@rystra/bytes'
import type { StreamInfo } from '@rystra/model'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { StreamHandler } from './stream-handler.js'

/**
 * What a service within this process is given for a visitor: a stream that answers what servers ask an accepted socket,
 * with the visitor's address. What only means something to a kernel does nothing.
 */
class ServiceStream extends PairedDuplex {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly remoteFamily: string
  readonly localAddress: string
  readonly localPort: number

  constructor({ visitor: { host, port, to } }: StreamInfo) {
    super()
    this.remoteAddress = host
    this.remotePort = port
    this.remoteFamily = net.isIPv6(host) ? 'IPv6' : 'IPv4'
    this.localAddress = to.host
    this.localPort = to.port
  }

  address(): net.AddressInfo {
    return { address: this.localAddress, port: this.localPort, family: this.remoteFamily }
  }

  resetAndDestroy(): this {
    return this.destroy()
  }
}

/**
 * Gives a stream to a service within this process, and answers with its other end. A service that throws, or whose
 * promise rejects, resets it; `failed` is told.
 */
export const serveHere = (
  handler: StreamHandler,
  info: StreamInfo,
  failed: (error: unknown) => void = () => {}
): Duplex => {
  const [near, far] = joinQuietly(new PairedDuplex(), new ServiceStream(info))
  const fail = (error: unknown): void => {
    failed(error)
    far.destroy()
  }
  try {
    const serving: unknown = handler(far, info)
    if (serving instanceof Promise) serving.catch(fail)
  } catch (error) {
    fail(error)
  }
  return near
}
