import { hostPort, localForms, type PortRange, parseLocal, parsePortRange } from '@rystra/address'
import { RystraError } from '@rystra/plugin'
import type { TcpSpec } from './spec.js'

/** Longest name of the protocol. */
const MAX_NAME = 128

/** Proxies that one entry may become: the default limit of a server refuses more. */
const MAX_PORTS = 1000

const invalid = (spec: TcpSpec, detail: string): RystraError =>
  new RystraError('proxy.invalid', { side: 'client', detail: `${spec.name}: ${detail}` })

const portsOf = (spec: TcpSpec, ports: string): PortRange => {
  try {
    return parsePortRange(ports)
  } catch (error) {
    throw invalid(spec, `port: ${(error as Error).message}, got ${JSON.stringify(ports)}`)
  }
}

const lengthOf = (spec: TcpSpec, { from, to }: PortRange): number => {
  if (to - from >= MAX_PORTS) throw invalid(spec, `range ${from}-${to} has more than ${MAX_PORTS} ports`)
  return to - from
}

/** Expands a range to one proxy per port, named `name:port`. */
export const expandRange = (spec: TcpSpec): TcpSpec[] => {
  const local = parseLocal(spec, { ...localForms, range: true })
  const from = typeof spec.port === 'string' ? portsOf(spec, spec.port) : undefined
  if (local === undefined || 'path' in local || local.last === undefined) {
    if (from !== undefined) throw invalid(spec, '`port` is a range: expected a range in `local`')
    return [spec]
  }
  const { host } = local
  const to = { from: local.port, to: local.last }
  if (from === undefined && spec.port !== undefined && spec.port !== 0)
    throw invalid(spec, '`local` is a range: expected `port` to be one, or to be left out')
  const length = lengthOf(spec, to)
  if (from !== undefined && lengthOf(spec, from) !== length)
    throw invalid(spec, '`port` and `local` are ranges of different lengths')
  const specs = Array.from({ length: length + 1 }, (_, index) => ({
    ...spec,
    name: `${spec.name}:${(from ?? to).from + index}`,
    local: hostPort(host, to.from + index),
    port: from === undefined ? 0 : from.from + index
  }))
  const longest = specs.find(({ name }) => name.length > MAX_NAME)
  if (longest !== undefined)
    throw invalid(spec, `"${longest.name}" is longer than the ${MAX_NAME} characters a name may have`)
  return specs
}
