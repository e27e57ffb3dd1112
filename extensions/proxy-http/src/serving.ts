import { type HostKind, HostTable } from '@rystra/net'
import type { Front } from './front.js'
import type { HttpOptions } from './options.js'
import type { HttpProxy } from './proxy.js'
import type { Address } from '@rystra/plugin'
import type { HttpSpec } from './spec.js'

/** One generation of the extension on a server. */
export interface Serving {
  /** See {@link formOf}. */
  readonly form: string | undefined
  readonly kind: HostKind<HttpSpec>
  readonly options: HttpOptions
  readonly front: Front
  /** The port behind the host in reported addresses. */
  readonly portShown: () => string
  /** Where visitors connect, ports 0 resolved. */
  readonly addresses: () => readonly Address[]
  /** Throws `proxy.claimed` when a host is another identity's by https. */
  readonly checkOtherKind: (host: string, identity: string) => void
}

/** The state that all generations on one server share: proxies stay published while options change. */
export interface Place {
  readonly table: HostTable<HttpProxy>
  /** Publishes proxies, and takes connections of other kinds. */
  serving: Serving | undefined
  /** Fronts that were replaced, until their last visitor is gone. */
  readonly retired: Set<Front>
}

const places = new WeakMap<object, Place>()

/** The state of a server, by an object that is the same for all of its generations. */
export const placeOf = (server: object): Place => {
  const known = places.get(server)
  if (known !== undefined) return known
  const made: Place = { table: new HostTable(), serving: undefined, retired: new Set() }
  places.set(server, made)
  return made
}

/** A generation has ended. Its visitors are still answered where another generation follows. */
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

/** The options that published proxies depend on: while they are the same, proxies need not be published again. */
export const formOf = ({ baseDomain, hosts, listen, maxHeadSize, public: shown }: HttpOptions): string | undefined =>
  // A free port is another one each time.
  listen.some(({ port }) => port === 0) ? undefined : JSON.stringify([baseDomain, hosts, listen[0], maxHeadSize, shown])
