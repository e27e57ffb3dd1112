import type { ResolvedServer } from '@rystra/config'
import { proxiesOf } from '@rystra/net'
import type { Socket } from 'node:net'

/** Worked out once for each configuration. */
const proxies = new WeakMap<object, (visitor: Socket) => boolean>()

/** Whether a visitor comes through a load balancer that names it. */
export const isProxied = (publish: ResolvedServer['publish']): ((visitor: Socket) => boolean) => {
  const known = proxies.get(publish) ?? proxiesOf(publish.proxyProtocolFrom ?? [], 'server.publish.proxyProtocolFrom')
  proxies.set(publish, known)
  return known
}
