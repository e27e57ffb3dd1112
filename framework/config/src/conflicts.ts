import { type Problem, at, show } from './problem.js'
import type { ResolvedServerEntry } from './server-entry.js'
import type { ResolvedClient, ResolvedConfig } from './types.js'

type Entry = Readonly<Record<string, unknown>>
type Listen = {
  readonly transport: string
  readonly host: string
  readonly port: number
  readonly address?: string | undefined
}

/** What each field may be by itself, and cannot be beside another. Fields that are wrong are undefined, and skipped. */
export const conflictsOf = ({ server, client }: ResolvedConfig): Problem[] => {
  const problems: Problem[] = []
  const { interval = 0, timeout = 1 } = server?.heartbeat ?? {}
  if (timeout <= interval)
    problems.push({
      path: 'server.heartbeat.timeout',
      value: `${timeout} ms`,
      expected: `more than the interval of ${interval} ms`
    })
  const { min = 0, max = 0 } = client?.reconnect ?? {}
  if (max < min)
    problems.push({
      path: 'client.reconnect.max',
      value: `${max} ms`,
      expected: `no less than the minimum of ${min} ms`
    })
  const { host, servers = [] } = client?.connect ?? {}
  whichServer(client?.connect, problems)
  const listen: readonly (Listen | undefined)[] = server?.listen ?? []
  const proxies: readonly (Entry | undefined)[] = client?.proxies ?? []
  const forwards: readonly (Entry | undefined)[] = client?.forwards ?? []
  sameListen(listen, problems)
  clusterPort(server, problems)
  once(proxies, 'client.proxies', 'name', 'a name that no other proxy has', nameOf, problems)
  once(forwards, 'client.forwards', 'name', 'a name that no other has', nameOf, problems)
  once(forwards, 'client.forwards', 'bind', 'an address that no other binds', bindOf, problems)
  samePort(proxies, problems)
  if ([host, ...servers.map((one) => one?.host)].some(isThisMachine))
    oneMachine(listen, server?.publish?.host, proxies, forwards, problems)
  return problems
}

/** Each says by itself where the servers are. */
const ways = ['host', 'address', 'servers', 'srv', 'discover'] as const

const whichServer = (connect: ResolvedClient['connect'] | undefined, problems: Problem[]): void => {
  if (connect === undefined) return
  // Also one that is wrong by itself: it was written.
  const [first, second] = ways.filter((way) => way in connect)
  const path = `client.connect.${first ?? 'host'}`
  if (first === undefined)
    problems.push({ path, value: 'nothing', expected: 'a host name or an address, or `servers`, `srv` or `discover`' })
  else if (second !== undefined)
    problems.push({ path, value: show(connect[first], path), expected: `no ${first} beside \`${second}\`` })
  const address = ({ host, port = connect.port }: ResolvedServerEntry): string => `${host.toLowerCase()} ${port}`
  once(
    connect.servers ?? [],
    'client.connect.servers',
    undefined,
    'a server that no other entry has',
    address,
    problems
  )
}

const once = <Item>(
  items: readonly (Item | undefined)[],
  path: string,
  field: string | undefined,
  expected: string,
  keyOf: (item: Item) => string | undefined,
  problems: Problem[]
): void => {
  const seen = new Set<string>()
  for (const [i, item] of items.entries()) {
    const key = item === undefined ? undefined : keyOf(item)
    const where = field === undefined ? at(path, i) : at(at(path, i), field)
    if (key !== undefined && seen.has(key)) problems.push({ path: where, value: show(key, where), expected })
    if (key !== undefined) seen.add(key)
  }
}

/** A value that may be of any type, as it is shown. */
const word = (value: unknown): string => (typeof value === 'string' ? value : show(value, ''))

const nameOf = ({ name }: Entry): string | undefined => (typeof name === 'string' ? name : undefined)

const bindOf = ({ bind, protocol = 'tcp' }: Entry): string | undefined =>
  typeof bind === 'string' && !/(^|:)0$/.test(bind) ? `${bind} (${word(protocol)})` : undefined

const isWildcard = (host: unknown): boolean => ['0.0.0.0', '::', '*', '', undefined].includes(host as string)

/** Whether a port of one host may be a port of the other, too. Names in lower case. */
export const hostsOverlap = (one: unknown, other: unknown): boolean =>
  one === other || isWildcard(one) || isWildcard(other)

/** Several transports share one address; one transport twice, or an address and all addresses, do not. */
const sameListen = (listen: readonly (Listen | undefined)[], problems: Problem[]): void => {
  for (const [i, entry] of listen.entries()) {
    if (!isWhole(entry)) continue
    const { transport, host, port } = entry
    const other = listen
      .slice(0, i)
      .filter(isWhole)
      .find((one) => {
        if (one.address !== undefined || entry.address !== undefined)
          return one.transport === transport && one.address === entry.address
        if (port === 0 || one.port !== port || !hostsOverlap(one.host.toLowerCase(), host.toLowerCase())) return false
        if (one.host.toLowerCase() === host.toLowerCase()) return one.transport === transport
        return (one.transport === 'quic') === (transport === 'quic')
      })
    if (other === undefined) continue
    problems.push({
      path: at('server.listen', i),
      value: `${transport} ${shown(entry)}`,
      expected: `an address that no other entry has: there is ${other.transport} ${shown(other)}`
    })
  }
}

/** The other servers of a cluster connect to a port of their own. */
const clusterPort = (server: ResolvedConfig['server'], problems: Problem[]): void => {
  const { host = '', port = 0 } = server?.cluster ?? {}
  const other = (server?.listen ?? [])
    .filter(isWhole)
    .find(
      (one) =>
        one.transport !== 'quic' &&
        one.address === undefined &&
        one.port === port &&
        hostsOverlap(one.host.toLowerCase(), host.toLowerCase())
    )
  if (port === 0 || other === undefined) return
  problems.push({
    path: 'server.cluster.port',
    value: String(port),
    expected: `a port that no entry of server.listen has: there is ${other.transport} ${shown(other)}`
  })
}

const shown = ({ address, host, port }: Listen): string => address ?? `${host}:${port}`

const isWhole = (entry: Listen | undefined): entry is Listen =>
  typeof entry?.transport === 'string' && typeof entry.host === 'string' && typeof entry.port === 'number'

/** The public ports that an entry of a kind that binds them names: one, or a range. */
export const portsOf = ({ kind, port }: Entry): [first: number, last: number] | undefined => {
  if (kind !== 'tcp' && kind !== 'udp') return undefined
  if (typeof port !== 'number' && typeof port !== 'string') return undefined
  const [, first, last = first] = /^([1-9]\d{0,4})(?:-(\d{1,5}))?$/.exec(String(port)) ?? []
  return first === undefined ? undefined : [Number(first), Number(last)]
}

/** Members of one group share a port. */
const groupOf = ({ group }: Entry): unknown => (group as { name?: unknown } | undefined)?.name

const samePort = (proxies: readonly (Entry | undefined)[], problems: Problem[]): void => {
  for (const [i, proxy] of proxies.entries()) {
    const ports = proxy && portsOf(proxy)
    if (proxy === undefined || ports === undefined) continue
    const other = proxies.slice(0, i).find((one) => {
      const taken = one && portsOf(one)
      if (one === undefined || taken === undefined || one.kind !== proxy.kind || !hostsOverlap(one.host, proxy.host))
        return false
      if (groupOf(one) !== undefined && groupOf(one) === groupOf(proxy)) return false
      return taken[0] <= ports[1] && ports[0] <= taken[1]
    })
    if (other === undefined) continue
    problems.push({
      path: at(at('client.proxies', i), 'port'),
      value: ports[0] === ports[1] ? String(ports[0]) : `${ports[0]}-${ports[1]}`,
      expected: `a port that no other proxy of kind ${word(proxy.kind)} has: ${word(other.name)} has it`
    })
  }
}

export const isThisMachine = (host: unknown): boolean =>
  typeof host === 'string' && /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host)

/** Both ends of one configuration on one machine: what the client publishes and binds, and where the server listens. */
const oneMachine = (
  listen: readonly (Listen | undefined)[],
  publishHost: string | undefined,
  proxies: readonly (Entry | undefined)[],
  forwards: readonly (Entry | undefined)[],
  problems: Problem[]
): void => {
  const onPorts = listen.filter(isWhole).filter(({ address }) => address === undefined)
  const taken = onPorts.map(({ transport, host, port }) => ({
    protocol: transport === 'quic' ? 'udp' : 'tcp',
    host,
    ports: [port, port] as readonly [number, number],
    what: `server.listen has ${transport} ${host}:${port}`
  }))
  const claim = (path: string, protocol: unknown, host: unknown, [first, last]: readonly [number, number]): void => {
    const other = taken.find(
      (one) =>
        one.protocol === protocol && hostsOverlap(one.host, host) && one.ports[0] <= last && first <= one.ports[1]
    )
    const value = first === last ? String(first) : `${first}-${last}`
    if (other !== undefined && first > 0)
      problems.push({ path, value, expected: `a port that is free on this machine: ${other.what}` })
  }
  const published = [...proxies.entries()].flatMap(([i, proxy]) => {
    const ports = proxy && portsOf(proxy)
    const { kind: protocol, host = publishHost ?? '0.0.0.0' } = proxy ?? {}
    return ports === undefined || typeof host !== 'string' || typeof protocol !== 'string'
      ? []
      : [{ i, protocol, host, ports, what: `client.proxies[${i}] publishes it` }]
  })
  for (const { i, protocol, host, ports } of published)
    claim(at(at('client.proxies', i), 'port'), protocol, host, ports)
  taken.push(...published)
  for (const [i, forward] of forwards.entries()) {
    const [, host = '127.0.0.1', port] = /^(?:(.*):)?(\d{1,5})$/.exec(word(forward?.bind)) ?? []
    if (port !== undefined)
      claim(at(at('client.forwards', i), 'bind'), forward?.protocol ?? 'tcp', host, [Number(port), Number(port)])
  }
}
