import type { LookupAddress } from 'node:dns'
import net from 'node:net'
import tls from 'node:tls'
import { domainToASCII } from 'node:url'
import { hostPort } from '@rystra/address'
import { asError, dialError } from '../errors.js'
import { httpConnect } from './http-connect.js'
import type { ProxyAddress } from './choice.js'
import { proxyError } from './errors.js'
import { socks5 } from './socks5.js'

/** What {@link throughProxy} needs. */
export interface ProxyConnect {
  readonly proxy: ProxyAddress
  readonly host: string
  readonly port: number
  readonly signal: AbortSignal
  readonly lookup: (host: string) => Promise<readonly LookupAddress[]>
  /** Milliseconds until the connection to the target must be made. */
  readonly timeout: number
  readonly ca: string | undefined
}

/** Turns a connection to the proxy into one to `host:port`. Destroys it on failure. */
export const throughProxy = async (socket: net.Socket, options: ProxyConnect): Promise<net.Socket> => {
  const { proxy, host, port, signal, timeout } = options
  // The protocol with the proxy reports the same error with more detail.
  socket.on('error', ignored)
  try {
    const channel = await within(socket, timeout, signal, () => connectTarget(socket, options))
    // TLS reports errors of its socket.
    channel.removeListener('error', ignored)
    return channel
  } catch (error) {
    socket.destroy()
    if (signal.aborted) throw dialError(asError(signal.reason), host, port)
    throw proxyError(proxy.name, hostPort(host, port), asError(error))
  }
}

const ignored = (): void => {}

const connectTarget = async (socket: net.Socket, options: ProxyConnect): Promise<net.Socket> => {
  const { proxy, host, port, ca } = options
  const { scheme, credentials } = proxy
  if (scheme === 'socks5' || scheme === 'socks5h') {
    await socks5(socket, scheme === 'socks5' ? await resolved(host, options) : host, port, credentials)
    return socket
  }
  const channel = scheme === 'https' ? await secured(socket, proxy.host, ca) : socket
  await httpConnect(channel, hostPort(net.isIP(host) === 0 ? domainToASCII(host) || host : host, port), credentials)
  return channel
}

/**
 * Prefers IPv4, which more proxies support. A name that this machine cannot resolve within a quarter of the timeout is
 * left to the proxy.
 */
const resolved = async (host: string, { lookup, timeout }: ProxyConnect): Promise<string> => {
  if (net.isIP(host) !== 0) return host
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<LookupAddress[]>((resolve) => {
    timer = setTimeout(resolve, timeout / 4, [])
  })
  const found = await Promise.race([lookup(host).catch(() => []), late])
  clearTimeout(timer)
  return (found.find(({ family }) => family === 4) ?? found[0])?.address ?? host
}

/** Speaks TLS with the proxy and verifies its certificate. */
const secured = (socket: net.Socket, host: string, ca: string | undefined): Promise<tls.TLSSocket> =>
  new Promise((resolve, reject) => {
    const channel = tls.connect({
      socket,
      host,
      ALPNProtocols: ['http/1.1'],
      ...(net.isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca })
    })
    const failed = (error: Error): void => {
      // `authorizationError` is typed as an error, but is a code, and null when the certificate is valid.
      const untrusted = (channel.authorizationError as unknown) ?? undefined
      reject(
        new Error(
          untrusted === undefined ? `TLS handshake with the proxy failed: ${error.message}` : untrustedBy(error)
        )
      )
    }
    const closed = (): void => failed(new Error('connection closed'))
    channel.on('error', ignored)
    channel.on('error', failed)
    channel.on('close', closed)
    channel.once('secureConnect', () => {
      channel.removeListener('error', failed)
      channel.removeListener('close', closed)
      resolve(channel)
    })
  })

const untrustedBy = ({ message }: Error): string =>
  `certificate of the proxy is not trusted: ${message}; add its authority with NODE_EXTRA_CA_CERTS`

/** Destroys the socket on timeout or abort, which also settles `work`. */
const within = <Result>(
  socket: net.Socket,
  timeout: number,
  signal: AbortSignal,
  work: () => Promise<Result>
): Promise<Result> =>
  new Promise((resolve, reject) => {
    const abandon = (error: Error): void => {
      reject(error)
      socket.destroy()
    }
    const timer = setTimeout(() => abandon(new Error(`proxy did not answer within ${timeout / 1000} s`)), timeout)
    const aborted = (): void => abandon(asError(signal.reason))
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
    work()
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
        signal.removeEventListener('abort', aborted)
      })
  })
