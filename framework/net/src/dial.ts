import { type LookupAddress, promises as dns } from 'node:dns'
import net from 'node:net'
import { hostPort } from '@rystra/address'
import { asError, dialError, reasonOf } from './errors.js'
import { chooseProxy, type Environment } from './proxy/choice.js'
import { proxyError } from './proxy/errors.js'
import { interleave, orAborted, raceAddresses, socketAttempt } from './race.js'
import { throughProxy } from './proxy/through.js'

/** Target and options of one connection. */
export interface DialTcpOptions {
  readonly host: string
  readonly port: number
  /** See {@link dialFields}. */
  readonly proxy?: string
  /** Milliseconds without traffic after which the kernel sends keep-alive probes. @default 15000 */
  readonly keepAlive?: number
}

/** Environment of {@link dialTcp}, for tests. */
export interface DialEnvironment {
  /** @default process.env */
  readonly env?: Environment
  /** Resolves a name to all its addresses, the preferred first. @default the system's resolver */
  readonly lookup?: (host: string) => Promise<readonly LookupAddress[]>
  /** Milliseconds until a proxy must have answered, its TLS handshake included. @default 10000 */
  readonly proxyTimeout?: number
  /** PEM: authorities of an https:// proxy. @default those of Node, with NODE_EXTRA_CA_CERTS */
  readonly proxyCa?: string
}

/** Long enough for a proxy that waits for a slow server itself. */
const PROXY_TIMEOUT_MS = 10_000

const lookupAll = (host: string): Promise<LookupAddress[]> => dns.lookup(host, { all: true, verbatim: true })

/**
 * Connects over TCP with half-open allowed and no delay: by Happy Eyeballs (RFC 8305), and through a proxy where one is
 * configured. The socket is a plain `net.Socket`, except behind an https:// proxy. Rejects with `connect.unreachable`,
 * `connect.proxy`, `connect.proxy-auth`, or `config.invalid` for an invalid proxy address.
 */
export const dialTcp = async (
  { host, port, proxy: configured, keepAlive = 15_000 }: DialTcpOptions,
  signal: AbortSignal,
  environment: DialEnvironment = {}
): Promise<net.Socket> => {
  const { env = process.env, lookup = lookupAll, proxyTimeout = PROXY_TIMEOUT_MS, proxyCa } = environment
  const proxy = chooseProxy(configured, host, port, env)
  const direct = (to: string, at: number): Promise<net.Socket> => connect(to, at, keepAlive, lookup, signal)
  if (proxy === undefined) {
    return direct(host, port).catch((error: unknown) => {
      throw dialError(asError(error), host, port)
    })
  }
  const socket = await direct(proxy.host, proxy.port).catch((error: unknown) => {
    throw signal.aborted
      ? dialError(asError(error), host, port)
      : proxyError(proxy.name, hostPort(host, port), new Error(reasonOf(asError(error))))
  })
  return throughProxy(socket, { proxy, host, port, signal, lookup, timeout: proxyTimeout, ca: proxyCa })
}

const connect = async (
  host: string,
  port: number,
  keepAlive: number,
  lookup: (host: string) => Promise<readonly LookupAddress[]>,
  signal: AbortSignal
): Promise<net.Socket> => {
  signal.throwIfAborted()
  const addresses = net.isIP(host) === 0 ? interleave(await orAborted(lookup(host), signal)) : [host]
  return raceAddresses(addresses, {
    signal,
    connect: (address) =>
      socketAttempt(
        net.connect({
          host: address,
          port,
          allowHalfOpen: true,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: keepAlive
        })
      )
  })
}
