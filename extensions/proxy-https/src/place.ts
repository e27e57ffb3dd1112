import { HostTable } from '@rystra/net'
import type { Front, PassOn } from './front.js'

/** What all generations on one server share: proxies stay reachable while options change. */
export interface Place {
  readonly routes: HostTable<PassOn>
  /** Accepts the visitors that come. */
  front: Front | undefined
}

const places = new WeakMap<object, Place>()

/** The state of a server, by an object that is the same for all of its generations. */
export const placeOf = (server: object): Place => {
  const place = places.get(server) ?? { routes: new HostTable(), front: undefined }
  places.set(server, place)
  return place
}
