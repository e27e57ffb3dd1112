import { PairedDuplex } from '@rystra/bytes'
import type { StreamInfo } from '@rystra/model'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { StreamHandler } from './handlers.js'

/**
 * What a service within this process is given for a visitor: a stream that answers what servers ask an accepted socket,
 * with the visitor's address. What only means something to a kernel does nothing.
 */
export class ServiceStream extends PairedDuplex {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly remoteFamily: string
  readonly localAddress: string
  readonly localPort: number
  /** Milliseconds without a byte either way before `timeout` is emitted; 0: never. */
  timeout = 0
  #timer: NodeJS.Timeout | undefined

  constructor({ visitor: { host, port, to } }: StreamInfo) {
    super()
    this.remoteAddress = host
    this.remotePort = port
    this.remoteFamily = net.isIPv6(host) ? 'IPv6' : 'IPv4'
    this.localAddress = to.host
    this.localPort = to.port
    this.once('close', () => clearTimeout(this.#timer))
  }

  address(): net.AddressInfo {
    return { address: this.localAddress, port: this.localPort, family: this.remoteFamily }
  }

  setTimeout(ms: number, onTimeout?: () => void): this {
    clearTimeout(this.#timer)
    this.timeout = ms
    this.#timer = ms > 0 && !this.destroyed ? setTimeout(() => this.emit('timeout'), ms).unref() : undefined
    if (onTimeout !== undefined && ms > 0) this.once('timeout', onTimeout)
    else if (onTimeout !== undefined) this.removeListener('timeout', onTimeout)
    return this
  }

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    this.#timer?.refresh()
    return super.push(chunk, encoding)
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#timer?.refresh()
    super._write(chunk, encoding, done)
  }

  resetAndDestroy(): this {
    return this.destroy()
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
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
  const near = new PairedDuplex()
  const far = new ServiceStream(info)
  near.join(far)
  far.join(near)
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
