import { HostTable } from '@rystra/net'
import type { ProxyKind } from '@rystra/plugin'
import type { Front } from './front.js'
import type { HttpOptions } from './options.js'
import type { HttpProxy } from './proxy.js'
import type { HttpSpec } from './spec.js'

/** One generation of the extension on a server. */
export interface Serving {
  /** See {@link formOf}. */
  readonly form: string | undefined
  readonly kind: ProxyKind<HttpSpec>
  readonly options: HttpOptions
  readonly front: Front
  /** What is behind the host in addresses that are told. */
  readonly portShown: () => string
  /** Throws `proxy.claimed` when a host is another identity's by https. */
  readonly checkElsewhere: (host: string, identity: string) => void
}

/** What all generations on one server have together: proxies stay where they are while options change. */
export interface Place {
  readonly table: HostTable<HttpProxy>
  /** Takes what is published, and connections of other kinds. */
  serving: Serving | undefined
  /** Those that were replaced, until their last visitor has gone. */
  readonly retired: Set<Front>
}

const places = new WeakMap<object, Place>()

/** The place of a server, by what is the same for all of its generations. */
export const placeOf = (server: object): Place => {
  const known = places.get(server)
  if (known !== undefined) return known
  const made: Place = { table: new HostTable(), serving: undefined, retired: new Set() }
  places.set(server, made)
  return made
}

/** A generation is over. Its visitors stay until they are answered, where another has taken its place. */
export const leave = (place: Place, front: Front, wasServing: boolean): void => {
  const { serving, retired } = place
  if (wasServing && serving !== undefined && serving.front !== front) {
    retired.add(front)
    front.retire()
    front.whenEmpty(() => retired.delete(front))
    return
  }
  front.close()
  if (serving !== undefined) return
  for (const old of retired) old.close()
  retired.clear()
}

/** What of the options is in a published proxy: where it is the same, proxies need not be published anew. */
export const formOf = ({ baseDomain, hosts, listen, maxHeadSize, public: shown }: HttpOptions): string | undefined =>
  // Any free port is another one each time.
  listen.some(({ port }) => port === 0) ? undefined : JSON.stringify([baseDomain, hosts, listen[0], maxHeadSize, shown])
