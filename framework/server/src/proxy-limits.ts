import type { ProxySpec, SessionInfo } from '@rystra/model'
import type { Pacer, SharedLimit, SharedRate } from '@rystra/plugin'
import type { StreamTable } from '@rystra/session'
import { FairPace } from './fair-pace.js'
import type { ServerState } from './state.js'

/** The proxy that is limited. */
export interface LimitedProxy {
  readonly spec: ProxySpec
  readonly session: SessionInfo
  readonly streams: StreamTable
  /** Present when another server serves it. */
  readonly remote?: object | undefined
}

/** The fields of every spec that limit its streams. */
type Limits = { readonly maxConnections?: number; readonly bandwidth?: number }

/**
 * `maxConnections` and `bandwidth` of one proxy. The server that has its session keeps them alone, unless its client has the same
 * proxy at another server, or its visitors have no streams of their own and are admitted by each server.
 */
export class ProxyLimits {
  readonly #proxy: LimitedProxy
  readonly #state: ServerState
  readonly #pace: FairPace | undefined
  #streams: SharedLimit | undefined
  #rate: SharedRate | undefined
  /** Visitors were admitted without streams of their own. */
  #admits = false

  /** @param before Of the proxy that is replaced: open streams share the bandwidth as it is now */
  constructor(proxy: LimitedProxy, state: ServerState, before: ProxyLimits | undefined) {
    this.#proxy = proxy
    this.#state = state
    const { bandwidth } = proxy.spec as Limits
    if (bandwidth !== undefined) this.#pace = before?.paceAt(bandwidth) ?? new FairPace(bandwidth, state.clock)
  }

  /** What slows its streams down, set to another bandwidth. */
  paceAt(bandwidth: number): FairPace | undefined {
    this.#pace?.setBandwidth(bandwidth)
    return this.#pace
  }

  /** What slows one more stream down, together with the others. */
  newPacer(): Pacer | undefined {
    if (this.#pace !== undefined) this.review()
    return this.#pace?.pacer()
  }

  /** Whether its limit of streams is reached by this server alone. */
  get full(): boolean {
    const { maxConnections = Number.POSITIVE_INFINITY } = this.#proxy.spec as Limits
    return this.#held >= maxConnections
  }

  /** Whether the part of the limit that this server was allotted is used up. */
  get exhausted(): boolean {
    return this.full || (this.#streams !== undefined && this.#isShared && this.#held >= this.#streams.allowance)
  }

  /** Asks for one more stream where other servers count as well; nothing to wait for where this one need not ask. */
  ask(admits = false): Promise<void> | undefined {
    if (admits) this.#admits = true
    this.review()
    return this.#streams !== undefined && !this.full && this.exhausted ? this.#streams.ask() : undefined
  }

  /** Shares its limits with other servers where one has it as well. */
  review(): void {
    const { maxConnections, bandwidth } = this.#proxy.spec as Limits
    if ((maxConnections === undefined && bandwidth === undefined) || !this.#isShared) return
    const cluster = this.#state.cluster?.remotes
    const { identity, client } = this.#proxy.session
    const key = JSON.stringify([identity.id, client.id, this.#proxy.spec.name])
    if (maxConnections !== undefined) {
      this.#streams ??= cluster?.share(`streams ${key}`, maxConnections, () => this.#held)
    }
    if (bandwidth !== undefined) {
      const total = (): number => {
        const { bytesToService, bytesToVisitor } = this.#proxy.streams.stats()
        return bytesToService + bytesToVisitor
      }
      this.#rate ??= cluster?.shareRate(`bytes ${key}`, bandwidth, total, (bytes) => this.#pace?.setBandwidth(bytes))
    }
  }

  close(): void {
    this.#streams?.close()
    this.#rate?.close()
  }

  get #held(): number {
    return this.#proxy.streams.open.size
  }

  get #isShared(): boolean {
    const { cluster } = this.#state
    if (cluster === undefined) return false
    if (this.#admits) return true
    const { session, remote } = this.#proxy
    if (remote !== undefined) return false
    for (const { info } of cluster.remotes.ofClient(session.client.id)) {
      if (info.identity.id === session.identity.id && info.client.instance === session.client.instance) return true
    }
    return false
  }
}
