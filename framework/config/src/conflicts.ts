import { type Problem, at, show } from './problem.js'
import type { ResolvedConfig } from './types.js'

type Entry = Readonly<Record<string, unknown>>

/** What each field may be by itself, and cannot be beside another. */
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
  const { host, discover } = client?.connect ?? {}
  if (client !== undefined && (host === undefined) === (discover === undefined))
    problems.push({
      path: 'client.connect.host',
      value: host === undefined ? 'nothing' : show(host, 'client.connect.host'),
      expected: host === undefined ? 'a host name or an address, or `discover`' : 'no host beside `discover`'
    })
  sameListen(server?.listen ?? [], problems)
  const { proxies = [], forwards = [] } = client ?? {}
  once(proxies, 'client.proxies', 'name', 'a name that no other proxy has', ({ name }) => name, problems)
  once(forwards, 'client.forwards', 'name', 'a name that no other has', ({ name }) => name, problems)
  once(forwards, 'client.forwards', 'bind', 'an address that no other binds', bindOf, problems)
  samePort(proxies, problems)
  return problems
}

const once = <Item>(
  items: readonly Item[],
  path: string,
  field: string,
  expected: string,
  keyOf: (item: Item) => string | undefined,
  problems: Problem[]
): void => {
  const seen = new Set<string>()
  for (const [i, item] of items.entries()) {
    const key = keyOf(item)
    const where = at(at(path, i), field)
    if (key !== undefined && seen.has(key)) problems.push({ path: where, value: show(key, where), expected })
    if (key !== undefined) seen.add(key)
  }
}

const bindOf = ({ bind, protocol = 'tcp' }: Entry): string | undefined =>
  typeof bind === 'string' && !/(^|:)0$/.test(bind) ? `${bind} (${String(protocol)})` : undefined

const isWildcard = (host: unknown): boolean => ['0.0.0.0', '::', '*', '', undefined].includes(host as string)

const overlap = (one: unknown, other: unknown): boolean => one === other || isWildcard(one) || isWildcard(other)

/** Several transports share one address; one transport twice, or an address and all addresses, do not. */
const sameListen = (
  listen: readonly { transport: string; host: string; port: number }[],
  problems: Problem[]
): void => {
  for (const [i, { transport, host, port }] of listen.entries()) {
    const other = listen.slice(0, i).find((one) => {
      if (port === 0 || one.port !== port || !overlap(one.host.toLowerCase(), host.toLowerCase())) return false
      if (one.host.toLowerCase() === host.toLowerCase()) return one.transport === transport
      return (one.transport === 'quic') === (transport === 'quic')
    })
    if (other === undefined) continue
    problems.push({
      path: at('server.listen', i),
      value: `${transport} ${host}:${port}`,
      expected: `an address that no other entry has: there is ${other.transport} ${other.host}:${other.port}`
    })
  }
}

/** The public ports that an entry names: one, or a range. */
const portsOf = ({ port }: Entry): [first: number, last: number] | undefined => {
  const [, first, last = first] = /^([1-9]\d{0,4})(?:-(\d{1,5}))?$/.exec(String(port)) ?? []
  return first === undefined ? undefined : [Number(first), Number(last)]
}

/** Members of one group share a port. */
const groupOf = ({ group }: Entry): unknown => (group as { name?: unknown } | undefined)?.name

const samePort = (proxies: readonly Entry[], problems: Problem[]): void => {
  for (const [i, proxy] of proxies.entries()) {
    const ports = portsOf(proxy)
    if (ports === undefined) continue
    const other = proxies.slice(0, i).find((one) => {
      const taken = portsOf(one)
      if (taken === undefined || one.kind !== proxy.kind || !overlap(one.host, proxy.host)) return false
      if (groupOf(one) !== undefined && groupOf(one) === groupOf(proxy)) return false
      return taken[0] <= ports[1] && ports[0] <= taken[1]
    })
    if (other === undefined) continue
    problems.push({
      path: at(at('client.proxies', i), 'port'),
      value: ports[0] === ports[1] ? String(ports[0]) : `${ports[0]}-${ports[1]}`,
      expected: `a port that no other proxy of kind ${String(proxy.kind)} has: ${String(other.name)} has it`
    })
  }
}
