import { hostPort } from '@rystra/address'
import type { Side } from '@rystra/model'
import { hostsOverlap, isThisMachine, portsOf } from './conflicts.js'
import type { Problem } from './problem.js'
import type { ResolvedConfig } from './types.js'

/** A TCP address that an extension binds. */
export interface ExtensionListen {
  readonly extension: string
  readonly host: string
  readonly port: number
  /** Whether nothing else may share it. */
  readonly exclusive?: boolean | undefined
}

interface Claim {
  readonly what: string
  readonly host: string
  readonly ports: readonly [first: number, last: number]
  /** Listeners of one address can share it, and tell their connections apart by the first bytes. */
  readonly shares: boolean
}

type Ends = Pick<ResolvedConfig, 'server' | 'client'>

const serverClaims = ({ listen, cluster }: NonNullable<Ends['server']>): Claim[] => [
  ...(listen ?? []).flatMap((entry): Claim[] => {
    const { transport, host, port, address } = entry ?? {}
    // Datagrams have ports of their own.
    if (transport === 'quic' || address !== undefined || typeof port !== 'number' || typeof host !== 'string') return []
    return [{ what: `server.listen (${transport})`, host, ports: [port, port], shares: true }]
  }),
  ...(cluster === undefined || typeof cluster.port !== 'number'
    ? []
    : [{ what: 'server.cluster', host: cluster.host, ports: [cluster.port, cluster.port] as const, shares: false }])
]

/** Whether the client of a configuration runs on the machine of its server. */
const isOneMachine = ({ server, client }: Ends): boolean => {
  const { host, servers = [] } = client?.connect ?? {}
  return server !== undefined && [host, ...servers.map((one) => one?.host)].some(isThisMachine)
}

/** Ports that a server binds for its client. */
const proxyClaims = ({ server, client }: Ends): Claim[] =>
  (client?.proxies ?? []).flatMap((proxy, i): Claim[] => {
    const entry = proxy as Readonly<Record<string, unknown>> | undefined
    const ports = entry?.['kind'] === 'tcp' ? portsOf(entry) : undefined
    const bound = entry?.['host'] ?? server?.publish?.host ?? '0.0.0.0'
    if (ports === undefined || typeof bound !== 'string') return []
    return [{ what: `client.proxies[${i}]`, host: bound, ports, shares: false }]
  })

const forwardClaims = ({ client }: Ends): Claim[] =>
  (client?.forwards ?? []).flatMap((forward, i): Claim[] => {
    const { bind, protocol } = (forward ?? {}) as { bind?: unknown; protocol?: unknown }
    const [, host = '127.0.0.1', port] = /^(?:(.*):)?([1-9]\d{0,4})$/.exec(String(bind)) ?? []
    if (protocol === 'udp' || port === undefined) return []
    return [{ what: `client.forwards[${i}]`, host, ports: [Number(port), Number(port)], shares: false }]
  })

const claimsOf = (config: Ends, side: Side): Claim[] => {
  const here = isOneMachine(config)
  return [
    ...(config.server !== undefined && (here || side === 'server') ? serverClaims(config.server) : []),
    ...(here ? proxyClaims(config) : []),
    ...(here || side === 'client' ? forwardClaims(config) : [])
  ]
}

const lower = (host: string): string => host.toLowerCase()

/** Whether both cannot be bound: a port of one is a port of the other, and they do not share one address. */
const exclude = (one: Claim, other: Claim): boolean =>
  one.ports[0] <= other.ports[1] &&
  other.ports[0] <= one.ports[1] &&
  hostsOverlap(lower(one.host), lower(other.host)) &&
  !(one.shares && other.shares && lower(one.host) === lower(other.host))

/**
 * Addresses that extensions of one side bind, and something else of the same configuration has, where they cannot be shared.
 */
export const listenConflicts = (listens: readonly ExtensionListen[], config: Ends, side: Side): Problem[] => {
  const known = claimsOf(config, side)
  const problems: Problem[] = []
  for (const { extension, host, port, exclusive = false } of listens) {
    if (port === 0) continue
    const claim: Claim = { what: extension, host, ports: [port, port], shares: !exclusive }
    const other = known.find((one) => exclude(one, claim))
    if (other === undefined) known.push(claim)
    else
      problems.push({
        path: `extensions ${extension}`,
        value: hostPort(host, port),
        expected: `an address that nothing else of this configuration has: ${other.what} has it`
      })
  }
  return problems
}
