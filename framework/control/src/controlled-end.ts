import type { ResolvedConfig, RystraConfig } from '@rystra/config'
import type { Kernel } from '@rystra/kernel'
import type { Address, Logger, Side } from '@rystra/model'
import type { AddProxyOptions, Clock, PlanItem, ProxyHandle, ProxySpec, ReloadContext } from '@rystra/plugin'

/** What a configuration would do to an end. */
export interface Rehearsal {
  /** Every default filled in. */
  readonly config: ResolvedConfig
  /** What of that which runs would be touched. */
  readonly touched: readonly PlanItem[]
}

/** An end, as its control sees it. */
export interface ControlledEnd {
  readonly side: Side
  readonly state: { readonly kernel: Kernel; readonly clock: Clock; readonly log: Logger }
  /** The configuration in force. */
  readonly config: ResolvedConfig
  /** Open streams of visitors. */
  readonly streams: number
  /** `drain` of the configuration, in milliseconds. */
  readonly drainTime: number
  /** Checks a configuration as a whole, and changes nothing. Rejects with what is wrong. */
  rehearse(config: RystraConfig): Promise<Rehearsal>
  /** Puts it in place of the one in force. Rejects with what is wrong; nothing has changed then. */
  apply(config: RystraConfig): Promise<ReloadContext>
  /** See `DrainOptions.alternatives`. Takes no more sessions and visitors; resolves when open streams are over, or after so many milliseconds. */
  drain(timeout: number, alternatives?: readonly Address[]): Promise<void>
  stop(): Promise<void>
  addProxy(spec: ProxySpec, session: string | undefined, options: AddProxyOptions): Promise<ProxyHandle>
  removeProxy(id: string): Promise<void>
  /** Throws `control.unavailable` when this end has nothing that another process could take over, or it cannot be. */
  handOver(): Promise<HandOver>
}

/** What another process takes over. */
export interface HandOver {
  /** Addresses whose port the system chose. */
  readonly chosen: readonly Address[]
  /** Addresses that the other process binds anew. */
  readonly rebound: readonly string[]
  /** The other process accepts from now on: closes the listeners, and answers with hosts, routes and names that are published. */
  done(): readonly string[]
}
