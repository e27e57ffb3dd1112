import { RystraError } from '@rystra/plugin'
import type { TcpSpec } from './spec.js'

/** Characters of a name, as the protocol has it. */
const MAX_NAME = 128

/** Proxies that one entry may become. More would be refused by a server's default limit anyway. */
const LIMIT = 1000

const invalid = (spec: TcpSpec, detail: string): RystraError =>
  new RystraError('proxy.invalid', { side: 'client', detail: `${spec.name}: ${detail}` })

const parse = (spec: TcpSpec, range: string): { first: number; last: number } => {
  const [first = 0, last = 0] = range.split('-').map(Number)
  if (first < 1 || last > 65535 || last < first) throw invalid(spec, `"${range}" is not a range of ports`)
  if (last - first >= LIMIT) throw invalid(spec, `"${range}" is more than ${LIMIT} ports`)
  return { first, last }
}

/** A path, or a service within the process of the client: what it ends with is no port. */
const isNamed = (local: string): boolean => local.startsWith('unix:') || local.startsWith('handler:')

/** One proxy for each port of a range, named `name:port`. An entry without a range is itself. */
export const expandRange = (spec: TcpSpec): TcpSpec[] => {
  const written = String(spec.local)
  const local = isNamed(written) ? null : /^(?:(.*):)?(\d{1,5}-\d{1,5})$/.exec(written)
  const ranged = typeof spec.port === 'string'
  if (!ranged && local === null) {
    checkPort(spec, written)
    return [spec]
  }
  if (local === null) throw invalid(spec, '`port` is a range, so `local` has to be one as well')
  const to = parse(spec, local[2] ?? '')
  const from = ranged ? parse(spec, spec.port as string) : undefined
  if (from === undefined && spec.port !== undefined && spec.port !== 0) {
    throw invalid(spec, '`local` is a range, so `port` has to be one as well, or to be left out')
  }
  if (from !== undefined && from.last - from.first !== to.last - to.first) {
    throw invalid(spec, '`port` and `local` have to be ranges of the same length')
  }
  const host = local[1] ?? '127.0.0.1'
  const specs = Array.from({ length: to.last - to.first + 1 }, (_, index) => ({
    ...spec,
    name: `${spec.name}:${(from ?? to).first + index}`,
    local: `${host}:${to.first + index}`,
    port: from === undefined ? 0 : from.first + index
  }))
  const longest = specs.find(({ name }) => name.length > MAX_NAME)
  if (longest !== undefined)
    throw invalid(spec, `"${longest.name}" is longer than the ${MAX_NAME} characters a name may have`)
  return specs
}

const checkPort = (spec: TcpSpec, local: string): void => {
  const port = /(?:^|:)(\d+)$/.exec(local)
  if (isNamed(local) || port === null) return
  if (Number(port[1]) < 1 || Number(port[1]) > 65535) throw invalid(spec, `"${local}" has no port from 1 to 65535`)
}
