import { Type } from '@rystra/plugin'
import { type LookupAddress, promises as dns } from 'node:dns'
import net from 'node:net'
import { orAborted } from './abort.js'
import { asError, dialError, hostPort, reasonOf } from './errors.js'
import { chooseProxy, type Environment } from './proxy/choice.js'
import { proxyError } from './proxy/errors.js'
import { firstToConnect, interleave } from './race.js'
import { throughProxy } from './proxy/through.js'

/** Fields of `client.connect` that every transport over TCP has: spread them into its `dialOptions`. */
export const dialFields = {
  proxy: Type.Optional(
    Type.String({
      title: '`none`, or the address of a proxy like http://user:password@host:3128 or socks5h://host:1080',
      pattern: '^(none|([Hh][Tt][Tt][Pp][Ss]?|[Ss][Oo][Cc][Kk][Ss](5[Hh]?)?)://[^\\s]+)$',
      description:
        'Proxy to dial through: `http://user:password@host:3128`, `https://…`, `socks5h://…` (the proxy looks names up) or ' +
        '`socks5://…` (this machine does, if it can); `none` for no proxy. Without it HTTPS_PROXY, ALL_PROXY and NO_PROXY ' +
        'of the environment count.'
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

/** What is around {@link dialTcp}. */
export interface DialWorld {
  /** @default that of the process */
  readonly env?: Environment
  /** All addresses of a name, the best first. @default that of the system */
  readonly lookup?: (host: string) => Promise<readonly LookupAddress[]>
  /** Milliseconds that a proxy has to answer, its TLS handshake included. @default 10000 */
  readonly proxyTimeout?: number
  /** PEM texts: the authorities of an https:// proxy. @default those of Node, with NODE_EXTRA_CA_CERTS */
  readonly proxyCa?: string
}

/** As much as a proxy needs that waits for a slow server itself, and still well before people give up. */
const PROXY_TIMEOUT = 10_000

const lookupAll = (host: string): Promise<LookupAddress[]> => dns.lookup(host, { all: true, verbatim: true })

/**
 * Connects: half-open allowed, no delay. Tries the addresses of a name in turn, IPv6 and IPv4 (RFC 8305), and goes
 * through a proxy where one is configured. The socket is a bare one, except behind an https:// proxy. Rejects with
 * `connect.unreachable`, `connect.proxy` or `connect.proxy-auth`, and with `config.invalid` for a proxy that none can be.
 */
export const dialTcp = async (
  { host, port, proxy: written, keepAlive = 30_000 }: DialTcpOptions,
  signal: AbortSignal,
  world: DialWorld = {}
): Promise<net.Socket> => {
  const { env = process.env, lookup = lookupAll, proxyTimeout = PROXY_TIMEOUT, proxyCa } = world
  const proxy = chooseProxy(written, host, port, env)
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
  return firstToConnect(addresses, {
    signal,
    connect: (address) =>
      net.connect({
        host: address,
        port,
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAlive
      })
  })
}
