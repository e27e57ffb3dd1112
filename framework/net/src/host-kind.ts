import type { ProxyKind, ProxySpec, Registries, VisitorInfo } from '@rystra/plugin'
import type { Duplex } from 'node:stream'

/** A visitor's connection that another kind has prepared, for example with TLS terminated. */
export interface HandedOver {
  readonly visitor: VisitorInfo
  /** Whether the visitor's connection is encrypted. */
  readonly secure: boolean
  /** The server name that the visitor sent by SNI, RFC 6066. */
  readonly serverName?: string
  /** The protocol that was negotiated by ALPN, RFC 7301. */
  readonly alpn?: string
}

/** A kind whose visitors are told apart by host. Kinds of this contract share the hosts of a server: each asks the other. */
export interface HostKind<Spec extends ProxySpec = ProxySpec> extends ProxyKind<Spec> {
  /** Server: throws `proxy.claimed` when another identity holds this host, or a part of what a wildcard covers. */
  checkHost(host: string, identity: string): void
  /** Server: takes a connection that another kind has prepared. */
  handOver?(connection: Duplex, from: HandedOver): void
}

/** The kind of this name, if it is registered and told apart by host. */
export const hostKind = ({ proxies }: Registries, name: string): HostKind | undefined => {
  const kind = proxies.has(name) ? proxies.get(name) : undefined
  return kind !== undefined && 'checkHost' in kind ? (kind as HostKind) : undefined
}
