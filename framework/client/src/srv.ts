import { asciiHost } from '@rystra/address'
import { RystraError } from '@rystra/model'

/** A record of a name such as `_rystra._tcp.example.net`, RFC 2782. */
export interface SrvRecord {
  /** A server, without the dot of the root; empty when the service is not available. */
  readonly name: string
  readonly port: number
  /** Lower ones are tried first. */
  readonly priority: number
  /** Share of the clients among those of one priority. */
  readonly weight: number
}

/** Looks SRV records up; rejects as `resolveSrv` of `node:dns/promises` does. */
export type ResolveSrv = (name: string) => Promise<readonly SrvRecord[]>

/** As many as a configuration may list. */
const MAX_SERVERS = 64

/** The records of a name in the order in which to try them. Rejects with `connect.unreachable`. */
export const resolveServers = async (
  name: string,
  resolve: ResolveSrv,
  random: () => number = Math.random
): Promise<readonly SrvRecord[]> => {
  const fail = (problem: string, cause?: unknown): RystraError =>
    new RystraError('connect.unreachable', {
      side: 'client',
      detail: `${name}: ${problem}`,
      hint: 'check client.connect.srv and the SRV records of the domain',
      cause
    })
  let records: readonly SrvRecord[]
  try {
    records = await resolve(name)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw fail(`SRV look-up failed: ${code ?? message}`, error)
  }
  const usable = records.flatMap(({ name: host, ...rest }) => {
    const target = asciiHost(host)
    return target === undefined || !isPort(rest.port) ? [] : [{ ...rest, name: target }]
  })
  if (usable.length === 0) throw fail('no usable SRV records')
  return inOrder(usable, random)
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535

/** By priority; among those of one priority at random, each as likely as its weight says. The first 64. */
const inOrder = (records: readonly SrvRecord[], random: () => number): SrvRecord[] => {
  const order: SrvRecord[] = []
  for (const priority of [...new Set(records.map((record) => record.priority))].toSorted((a, b) => a - b)) {
    const left = records.filter((record) => record.priority === priority)
    while (left.length > 0 && order.length < MAX_SERVERS) order.push(take(left, random))
  }
  return order
}

const take = (left: SrvRecord[], random: () => number): SrvRecord => {
  // A weight of 0 has a small chance, RFC 2782.
  const weights = left.map(({ weight }) => (weight > 0 ? weight : 0.01))
  let at = random() * weights.reduce((sum, weight) => sum + weight, 0)
  const index = weights.findIndex((weight) => {
    at -= weight
    return at < 0
  })
  return left.splice(Math.max(0, index), 1)[0] as SrvRecord
}
