import type { ByteLink, DialOptions } from '@rystra/plugin'
import net from 'node:net'
import { asError, dialError } from './errors.js'
import { linkOf } from './listen.js'
import type { TcpOptions } from './options.js'

/** Connects; tries the addresses of a name in turn, IPv6 and IPv4 (RFC 8305). */
export const dial = (options: TcpOptions, { host, port }: DialOptions, signal: AbortSignal): Promise<ByteLink> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(dialError(asError(signal.reason), host, port))
    const socket = net.connect({
      host,
      port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: options.keepAlive,
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
      resolve(linkOf(socket))
    })
  })
