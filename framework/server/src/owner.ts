import type { Logger, ProxySpec, RystraError, SessionInfo } from '@rystra/model'
import type { Details, UnregisterProxyContext } from '@rystra/plugin'
import type { StreamOwner, StreamTable } from '@rystra/session'

/** What serves a proxy, as the proxy sees it: a session of this server. */
export interface ProxyOwner extends StreamOwner {
  readonly log: Logger
  readonly streams: StreamTable
  /** Ends it, without asking. Its proxies are being withdrawn when this resolves. */
  evict(error: RystraError): Promise<void>
  /** Takes a proxy back and tells the client why. */
  takeBack(name: string, reason: UnregisterProxyContext['reason'], error: RystraError): void
  /** See `PublishHost.tell`. */
  tell(proxy: string, notice: Details): void
}

/** How a group chooses among its members. */
export type Policy = 'round-robin' | 'least-connections' | 'random' | 'sticky'

/** A load-balancing group, as one of its members names it. */
export interface Group {
  readonly name: string
  readonly policy: Policy
}

/** Of a proxy that another server of the cluster serves. */
export interface Remote {
  /** Of two that contend for a key the one with the larger number has it. */
  readonly fence: number
  /** Ports that its server has bound for it, in the order in which its kind asked for them. */
  readonly ports: readonly number[]
}

/** What may hold a port, a host or a name: a proxy. */
export interface Holder {
  readonly spec: ProxySpec
  readonly session: SessionInfo
  readonly owner: Pick<ProxyOwner, 'probe' | 'evict'>
  readonly group: Group | undefined
  readonly healthy: boolean
  /** Whether a group may choose it. */
  readonly available: boolean
  /** Whether a stream of it failed a moment ago, so that others of its group are asked first. */
  readonly recentlyFailed: boolean
  readonly streams: StreamTable
  /** The proxy that it is about to replace: what that one holds, it gets without a gap. */
  readonly predecessor: Holder | undefined
  /** Present when another server serves it. */
  readonly remote?: Remote | undefined
}
