import type { ProxySpec } from '@rystra/plugin'
import { plainHost } from './area.js'

/** What a proxy claims among all clients. */
export interface Claimed {
  /** `undefined` for kinds without port; 0 for any free port. */
  readonly port: number | undefined
  readonly hosts: readonly string[]
  /** Its name, and the name under which it is visited. */
  readonly names: readonly string[]
  /** The name under which it is visited, the same for all clients of the server. */
  readonly visited: string | undefined
}

/** Kinds whose `port` is bound, and whose `host` is the bind address. */
const onPorts = new Set(['tcp', 'udp'])

/** Kinds reached by a port or a host: their names are local to their clients. */
const published = new Set(['tcp', 'udp', 'http', 'https'])

/** Kinds whose `port` is not a port of the server. */
const withoutPorts = new Set(['http', 'https', 'private'])

const textsOf = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []
}

/** Reads the claims of a spec. Invalid values are for the kind to refuse. */
export const claimedBy = (spec: ProxySpec, baseDomain: string): Claimed => {
  const { name, kind, port, host, subdomain, of } = spec as ProxySpec & Readonly<Record<string, unknown>>
  const opens = onPorts.has(kind) || (port !== undefined && !withoutPorts.has(kind))
  const hosts = onPorts.has(kind)
    ? []
    : [...textsOf(host), ...textsOf(subdomain).map((label) => `${label}.${baseDomain}`)]
  return {
    port: opens ? (typeof port === 'number' ? port : 0) : undefined,
    hosts: hosts.map(plainHost),
    names: [...new Set([name, ...textsOf(of)])],
    visited: published.has(kind) ? undefined : (textsOf(of)[0] ?? name)
  }
}
