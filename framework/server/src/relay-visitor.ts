import type { RawStream } from '@rystra/bytes'
import { isRefusal, type Logger, type RystraError, type VisitorInfo } from '@rystra/model'
import type { RelayOptions } from '@rystra/plugin'
import type { StreamLifecycle } from '@rystra/session'
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
