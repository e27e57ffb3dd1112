import type { ProxySpec } from '@rystra/plugin'
import { plainHost } from './area.js'

/** What a proxy takes that others could want as well. */
export interface Wanted {
  /** `undefined` for kinds that open none; 0 leaves the choice to the server. */
  readonly port: number | undefined
  readonly hosts: readonly string[]
  /** Its name, and the one under which it is visited. */
  readonly names: readonly string[]
  /** The one under which it is visited, which is the same for all clients of the server. */
  readonly visited: string | undefined
}

/** Kinds whose `port` is opened, and whose `host` is an address to open it at. */
const onPorts = new Set(['tcp', 'udp'])

/** Kinds that are reached by a port or a host, so that their names are their clients' own. */
const published = new Set(['tcp', 'udp', 'http', 'https'])

/** Kinds of which `port` is no port of the server. */
const withoutPorts = new Set(['http', 'https', 'private'])

const textsOf = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []
}

/** Reads it from a spec. What is of no use here is for the kind to refuse. */
export const wantedBy = (spec: ProxySpec, baseDomain: string): Wanted => {
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
