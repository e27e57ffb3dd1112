import { asciiHostPattern } from '@rystra/address'
import {
  type ProxyKind,
  type ProxySpec,
  type Registries,
  Type,
  type VisitorInfo,
  type VisitorRoute
} from '@rystra/plugin'
import { isIPv4 } from 'node:net'
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

/** A host in any script, or a wildcard. */
export const hostPattern = '^(\\*\\.)?[^\\s/:*@?#\\[\\]]{1,253}$'
const host = Type.String({ title: 'a host such as app.example.org or *.example.org', pattern: hostPattern })

/** The option of a kind with hosts: where `subdomain` of a proxy belongs. */
export const baseDomain = Type.String({
  default: 'localhost',
  title: 'a domain such as tunnel.example.org',
  pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$',
  description:
    'Domain to which `subdomain` of a proxy is prepended. Names under `localhost` need no DNS. Default: localhost.'
})

/** Fields of every kind whose visitors are told apart by host: spread them into its `spec`. */
export const hostFields = {
  host: Type.Optional(
    Type.Union([host, Type.Array(host, { minItems: 1, maxItems: 64 })], {
      description:
        'Host, or list of hosts, of the proxy: `app.example.org`, or `*.example.org` for all hosts below it. Default: the one of `subdomain`.'
    })
  ),
  subdomain: Type.Optional(
    Type.String({
      title: 'one label of letters, digits and hyphens, such as app',
      pattern: '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$',
      description:
        'Label prepended to `baseDomain` of the server. Default: the name of the proxy, if `host` is not set.'
    })
  )
}

/** The hosts that a spec names, in the one form in which hosts are compared; text that is not a host is left out. */
export const claimedHosts = (
  { host, subdomain }: { readonly host?: string | readonly string[]; readonly subdomain?: string },
  baseDomain: string
): string[] => {
  const written = host === undefined ? [] : [host].flat()
  if (subdomain !== undefined) written.push(`${subdomain}.${baseDomain.toLowerCase()}`)
  return [...new Set(written.flatMap((one) => (isIPv4(one) ? one : (asciiHostPattern(one) ?? []))))]
}

/** A kind whose visitors are told apart by host. Kinds of this contract share the hosts of a server: each asks the other. */
export interface HostKind<Spec extends ProxySpec = ProxySpec> extends ProxyKind<Spec> {
  /** Server: throws `proxy.claimed` when another identity holds this host, or a part of what a wildcard covers. */
  checkHost(host: string, identity: string): void
  /** Server: the hosts that proxies are published under, wildcards included. */
  hosts?(): Iterable<string>
  /** Server: where visitors of proxies come in, for the process that takes over. @default none is waited for by its path */
  routes?(): Iterable<VisitorRoute>
  /** Server: whether TLS of this host is provided for by the configuration: by a certificate of its own, or by a service. */
  secures?(host: string): boolean
  /** Server: takes a connection that another kind has prepared. */
  handOver?(connection: Duplex, from: HandedOver): void
}

/** The kind of this name, if it is registered and told apart by host. */
export const hostKind = ({ proxies }: Registries, name: string): HostKind | undefined => {
  const kind = proxies.has(name) ? proxies.get(name) : undefined
  return kind !== undefined && 'checkHost' in kind ? (kind as HostKind) : undefined
}
