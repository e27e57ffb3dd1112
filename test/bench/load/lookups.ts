/** Looks up hosts and claims in tables of different sizes, as a process of its own. */
// Not of the packages' faces: what is timed is the look-up alone.
import { HostTable } from '@rystra/net'
import { MemoryClaims } from '../../../framework/server/src/memory-claims.js'
import { placesOf } from './places.js'
import { serve } from './remote.js'

/** Nanoseconds of one look-up among so many hosts. */
export interface Lookups {
  readonly hosts: number
  readonly exact: number
  readonly wildcard: number
  readonly path: number
  readonly claim: number
}

const visitor = { host: '192.0.2.1', port: 1, to: { host: '192.0.2.2', port: 80 } }

/** The best of some runs: what else the machine does only makes them longer. */
const time = (
  places: readonly (readonly [string, string])[],
  find: (host: string, path: string) => unknown
): number => {
  const rounds = 60
  const each = 100_000
  let best = Infinity
  let found = 0
  for (let round = 0; round < rounds; round++) {
    const begin = process.hrtime.bigint()
    for (let index = 0; index < each; index++) {
      // A stride that is prime to any size that is asked for, so that the next one is not the neighbour of the last.
      const [host, path] = places[(index * 7919) % places.length] as readonly [string, string]
      if (find(host, path) !== undefined) found++
    }
    best = Math.min(best, Number(process.hrtime.bigint() - begin) / each)
  }
  if (found !== rounds * each) throw new Error('something that is there was not found')
  return best
}

const lookups = async (hosts: number): Promise<Lookups> => {
  const claims = new MemoryClaims(() => 1000)
  const table = new HostTable<object>()
  const places = placesOf(0, hosts)
  // What a claim asks of the proxy that holds it.
  const proxy = { group: undefined, healthy: true } as never
  for (const { host, path } of places) {
    const key = `http ${host} ${path}`
    const claim = await claims.take<object>(key, { proxy, value: {} }, { code: 'proxy.claimed', what: key })
    table.add(host, path, 'bench', claim)
  }
  const of = (form: 'exact' | 'wildcard' | 'path') =>
    places
      .filter((place) => place.form === form)
      .map(({ requestHost, requestPath }) => [requestHost, requestPath] as const)
  const find = (host: string, path: string): unknown => table.find(host, path, visitor)?.proxy
  const keys = places.map(({ host, path }) => [`http ${host} ${path}`, ''] as const)
  return {
    hosts,
    exact: time(of('exact'), find),
    wildcard: time(of('wildcard'), find),
    path: time(of('path'), find),
    claim: time(keys, (key) => claims.get<object>(key)?.pick(visitor))
  }
}

serve({ lookups })
