import type { Found } from '@rystra/net'
import { type Claim, RystraError } from '@rystra/plugin'
import type { ConnectionInfo } from './connection-info.js'
import type { Head } from './head.js'
import { Problem, problemOf } from './problem.js'
import type { HttpProxy } from './proxy.js'
import type { World } from './world.js'

/** The proxy that is to serve a request, and those it may fail over to. */
export interface Route {
  readonly claim: Claim<HttpProxy>
  readonly proxy: HttpProxy
}

/** Finds the proxy of a request. Throws a {@link Problem}. */
export const routeOf = ({ table }: World, { serverName, visitor }: ConnectionInfo, { host, path }: Head): Route => {
  if (serverName !== undefined && serverName.toLowerCase() !== host) {
    throw new Problem(421, 'this connection was made for another host')
  }
  const found: Found<HttpProxy> = table.find(host, path, visitor)
  if (found === undefined) throw new Problem(404, `there is nothing here under ${host}${path}`)
  const { claim, proxy } = found
  if (proxy === undefined) throw problemOf(new RystraError('stream.no-member', { side: 'server' }))
  return { claim, proxy }
}
