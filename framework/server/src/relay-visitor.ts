import type { RawStream } from '@rystra/bytes'
import { isRefusal, type Logger, type RystraError, type VisitorInfo } from '@rystra/model'
import type { RelayOptions } from '@rystra/plugin'
import type { StreamLifecycle } from '@rystra/session'
import type { ProxyLimits } from './proxy-limits.js'
import { joinProxyStream, openFollowing, proxyStream, type StreamProxy } from './proxy-stream.js'
import type { ServerState } from './state.js'
import { MEMBER_TIMEOUT_MS, type ProxyStreamOptions } from './visitable.js'

/** The proxy that a visitor came to. */
export interface RelayingProxy {
  readonly log: Logger
  open(visitor: VisitorInfo, options: ProxyStreamOptions): Promise<StreamLifecycle>
}

/** How a visitor is relayed. */
interface Relaying extends Omit<RelayOptions, 'failover'> {
  readonly failover?: RelayOptions['failover'] | undefined
}

/** Opens a stream for a visitor and relays it until both are done; see `PublishHost.relay`. */
export const relayVisitor = (proxy: RelayingProxy, raw: RawStream, info: VisitorInfo, options: Relaying): void => {
  const { failover } = options
  relay(proxy, raw, info, options)
    .catch(({ code }: RystraError) => {
      if (!raw.closed && (failover === undefined || isRefusal(code) || !failover())) raw.reset()
    })
    // The kind of the other member is code of an extension.
    .catch((error: unknown) => {
      proxy.log.error({ err: error }, 'a visitor could not be given to another member')
      raw.reset()
    })
}

/**
 * Relays a visitor that came as a connection. Most need nothing but a stream: it is opened joined with the connection, without a
 * promise.
 */
export const relayConnection = (
  proxy: RelayingProxy & StreamProxy & { readonly limits: ProxyLimits; readonly remote?: object | undefined },
  state: ServerState,
  visitor: RawStream,
  info: VisitorInfo
): void => {
  // To another server it may have to be opened twice.
  if (proxy.remote !== undefined || proxy.limits.ask() !== undefined || proxy.limits.exhausted) {
    relayVisitor(proxy, visitor, info, {})
    return
  }
  const options = { follows: visitor }
  const stream = proxyStream(proxy, state, info, options)
  if (joinProxyStream(stream, proxy, state, visitor)) return
  const open = (): Promise<StreamLifecycle> => openFollowing(stream, proxy, false, options)
  relayVisitor({ log: proxy.log, open }, visitor, info, {})
}

/** The visitor's bytes do not wait for the service, unless another member may have to serve them. */
const relay = async (
  proxy: RelayingProxy,
  visitor: RawStream,
  info: VisitorInfo,
  { details, failover }: Relaying
): Promise<void> => {
  const waits = failover !== undefined
  const stream = await proxy.open(info, { details, follows: visitor, timeout: waits ? MEMBER_TIMEOUT_MS : undefined })
  if (waits) await stream.readyFor(visitor)
  stream.join(visitor)
}
