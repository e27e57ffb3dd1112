import type { LookupAddress } from 'node:dns'
import net from 'node:net'
import tls from 'node:tls'
import { domainToASCII } from 'node:url'
import { asError, dialError, hostPort } from '../errors.js'
import { httpConnect } from './http-connect.js'
import type { ProxyAddress } from './choice.js'
import { proxyError } from './errors.js'
import { socks5 } from './socks5.js'

/** What {@link throughProxy} needs. */
export interface Through {
  readonly proxy: ProxyAddress
  readonly host: string
  readonly port: number
  readonly signal: AbortSignal
  readonly lookup: (host: string) => Promise<readonly LookupAddress[]>
  /** Milliseconds for all of it. */
  readonly timeout: number
  readonly ca: string | undefined
}

/** Makes of a connection to the proxy one to `host:port`. Destroys it when that fails. */
export const throughProxy = async (socket: net.Socket, through: Through): Promise<net.Socket> => {
  const { proxy, host, port, signal, timeout } = through
  // Whoever speaks with the proxy hears of an error too, and says it better.
  socket.on('error', ignored)
  try {
    const channel = await within(socket, timeout, signal, () => ask(socket, through))
    // What is below TLS tells TLS, which tells the one above.
    channel.removeListener('error', ignored)
    return channel
  } catch (error) {
    socket.destroy()
    if (signal.aborted) throw dialError(asError(signal.reason), host, port)
    throw proxyError(proxy.name, hostPort(host, port), asError(error))
  }
}

const ignored = (): void => {}

const ask = async (socket: net.Socket, through: Through): Promise<net.Socket> => {
  const { proxy, host, port, ca } = through
  const { scheme, credentials } = proxy
  if (scheme === 'socks5' || scheme === 'socks5h') {
    await socks5(socket, scheme === 'socks5' ? await resolved(host, through) : host, port, credentials)
    return socket
  }
  const channel = scheme === 'https' ? await secured(socket, proxy.host, ca) : socket
  await httpConnect(channel, hostPort(net.isIP(host) === 0 ? domainToASCII(host) || host : host, port), credentials)
  return channel
}

/**
 * IPv4 first, which more proxies can. A name that this machine does not know, or whose resolver cannot be reached, may
 * be one that the proxy knows: it has most of the time for itself.
 */
const resolved = async (host: string, { lookup, timeout }: Through): Promise<string> => {
  if (net.isIP(host) !== 0) return host
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<LookupAddress[]>((resolve) => {
    timer = setTimeout(resolve, timeout / 4, [])
  })
  const found = await Promise.race([lookup(host).catch(() => []), late])
  clearTimeout(timer)
  return (found.find(({ family }) => family === 4) ?? found[0])?.address ?? host
}

/** TLS with the proxy itself, verified. */
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
      // Typed as an error, it is a code, and null where nothing is wrong.
      const untrusted = (channel.authorizationError as unknown) ?? undefined
      reject(new Error(untrusted === undefined ? `no TLS with it: ${error.message}` : untrustedBy(error)))
    }
    const closed = (): void => failed(new Error('it closed the connection'))
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
  `its certificate is not trusted: ${message}; NODE_EXTRA_CA_CERTS names a file with more authorities`

/** Gives up by destroying the socket, so that whoever waits for it is through as well. */
const within = <Result>(
  socket: net.Socket,
  timeout: number,
  signal: AbortSignal,
  work: () => Promise<Result>
): Promise<Result> =>
  new Promise((resolve, reject) => {
    const giveUp = (error: Error): void => {
      reject(error)
      socket.destroy()
    }
    const timer = setTimeout(() => giveUp(new Error(`it did not answer within ${timeout / 1000} s`)), timeout)
    const aborted = (): void => giveUp(asError(signal.reason))
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
    work()
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
        signal.removeEventListener('abort', aborted)
      })
  })
