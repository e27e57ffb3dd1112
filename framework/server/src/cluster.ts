import type { Address, ProxySpec, SessionInfo } from '@rystra/model'
import type { ClusterInfo, RuntimeCluster } from '@rystra/plugin'
import type { Claims } from './claims.js'
import type { FollowedProxy, Moves, MovingProxy } from './follow-client.js'

/** A proxy of this server, as it is listed for the others. */
export interface ListedProxy {
  readonly id: string
  readonly spec: ProxySpec
  readonly session: SessionInfo
  readonly address: string
  readonly healthy: boolean
  readonly ports: { readonly list: readonly number[] }
}

/** The other servers of a cluster, as the parts of one server see them. */
export interface ServerCluster extends Moves<MovingProxy> {
  readonly claims: Claims
  /** Streams of visitors of this server that others serve. */
  readonly streams: number
  readonly info: ClusterInfo
  /** Sessions of the others. */
  readonly remotes: RuntimeCluster
  /** Where clients reach the other servers; nothing when none of them says so. */
  readonly alternatives: readonly Address[] | undefined
  /** Throws `cluster.fenced` when others may have what this server holds. */
  throwIfFenced(): void
  /** A client is there: a session that it has on another server is replaced. */
  opened(session: SessionInfo): void
  closed(session: SessionInfo): void
  /** A proxy is published, or has changed. Rejects with `cluster.unavailable`. */
  list(proxy: ListedProxy): Promise<void>
  /** It is announced now: visitors that wait for its client are served by it. */
  announced(proxy: FollowedProxy): void
  /** A proxy is published no more. */
  unlist(id: string): void
  /** Publishes the proxies of others as the configuration says now. */
  renew(): void
  /** Listens, joins, and publishes what the others have. Rejects with `listen.*` or `tls.files`. */
  start(): Promise<void>
  /** Takes no more links of other servers. */
  drain(): void
  stop(): Promise<void>
}
