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

/** Whether another process has a route for a request that this one has not, or has wider: it would be for another service. */
export const isAtOtherProcess = ({ table, ports }: World, head: Head): boolean =>
  ports.otherProcess?.has('http', head, table.locate(head.host, head.path)) ?? false

/** Finds the proxy of a request. Throws a {@link Problem}. */
export const routeOf = (world: World, { serverName, visitor }: ConnectionInfo, head: Head): Route => {
  const { host, path } = head
  if (serverName !== undefined && serverName.toLowerCase() !== host) {
    throw new Problem(421, 'this connection was made for another host')
  }
  if (isAtOtherProcess(world, head)) throw problemOf(new RystraError('stream.unknown-proxy', { side: 'server' }))
  const found: Found<HttpProxy> = world.table.find(host, path, visitor)
  if (found === undefined) throw new Problem(404, `there is nothing here under ${host}${path}`)
  const { claim, proxy } = found
  if (proxy === undefined) throw problemOf(new RystraError('stream.no-member', { side: 'server' }))
  return { claim, proxy }
}
