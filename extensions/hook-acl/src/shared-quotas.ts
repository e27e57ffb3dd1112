import type { RuntimeCluster, SharedLimit, SharedRate } from '@rystra/plugin'

/** Quotas of one account that are numbers: of things at once, or of the bytes of today. */
export type Countable = 'proxies' | 'streams' | 'bytes'

/** Part of the bytes of a day that is left when more are asked for, so that streams need not wait. */
const ASK_AHEAD = 32

/** Milliseconds that bytes wait for the answer of the directory. */
const WAIT_MS = 10

interface Shared<Share> {
  readonly quota: number
  readonly share: Share
}

const isLimit = (quota: number): boolean => quota > 0 && Number.isFinite(quota)

/** Quotas of one account that the servers of a cluster keep together. A server alone keeps them by itself. */
export class SharedQuotas {
  readonly #name: string
  readonly #held: Readonly<Record<Countable, () => number>>
  readonly #counts = new Map<Countable, Shared<SharedLimit>>()
  #rate: Shared<SharedRate> | undefined
  /** Bytes that were paced. */
  bytes = 0
  #asking: Promise<void> | undefined
  /** The allowance of bytes that the others had nothing to add to. */
  #last: number | undefined
  #bandwidth = 0

  /** @param held what is counted at this server */
  constructor(name: string, held: Readonly<Record<Countable, () => number>>) {
    this.#name = name
    this.#held = held
  }

  /** How many of a quota this server may have now. */
  allowance(what: Countable, quota: number, cluster: RuntimeCluster | undefined): number {
    return this.#shareOf(what, quota, cluster)?.allowance ?? quota
  }

  /** Asks for one more. Resolved at once where this server has room, or the quota is used up here. */
  ask(what: Countable, quota: number, cluster: RuntimeCluster | undefined): Promise<void> | undefined {
    const share = this.#shareOf(what, quota, cluster)
    const held = this.#held[what]()
    return share !== undefined && held >= share.allowance && held < quota ? share.ask() : undefined
  }

  /**
   * Milliseconds that bytes of today wait, which are counted already, until the other servers have answered; nothing where they have left
   * none for this server.
   */
  wait(quota: number, cluster: RuntimeCluster | undefined): number | undefined {
    const share = this.#shareOf('bytes', quota, cluster)
    const held = this.#held.bytes()
    if (share === undefined) return held > quota ? undefined : 0
    const { allowance } = share
    if (held + quota / ASK_AHEAD > allowance && allowance < quota && this.#last !== allowance) {
      this.#asking ??= share.ask().then(() => {
        this.#asking = undefined
        this.#last = share.allowance > allowance ? undefined : share.allowance
      })
    }
    if (held <= allowance) return 0
    return this.#asking === undefined ? undefined : WAIT_MS
  }

  #shareOf(what: Countable, quota: number, cluster: RuntimeCluster | undefined): SharedLimit | undefined {
    if (cluster === undefined || !isLimit(quota)) return undefined
    const known = this.#counts.get(what)
    if (known?.quota === quota) return known.share
    known?.share.close()
    const share = cluster.share(`acl ${what} ${this.#name}`, quota, this.#held[what])
    this.#counts.set(what, { quota, share })
    return share
  }

  /** Bytes per second that this server may use of a bandwidth now. */
  bandwidth(quota: number, cluster: RuntimeCluster | undefined): number {
    if (cluster === undefined || !isLimit(quota)) return quota
    if (this.#rate?.quota !== quota) {
      this.#rate?.share.close()
      const share = cluster.shareRate(
        `acl bandwidth ${this.#name}`,
        quota,
        () => this.bytes,
        (perSecond) => {
          this.#bandwidth = perSecond
        }
      )
      this.#rate = { quota, share }
    }
    return this.#bandwidth
  }

  close(): void {
    for (const { share } of this.#counts.values()) share.close()
    this.#rate?.share.close()
  }
}
