import { background, type Logger } from '@rystra/model'
import type { DirectoryShare, SharedLimit, SharedRate } from '@rystra/plugin'

/** A server asks for so much more than it uses, as a part of the limit: then not each stream needs an answer of the engine. */
const HEADROOM = 16

/** Of a rate each server keeps this part, to begin with. */
const FLOOR = 16

/** A rate that is used to this part of its allowance could be more. */
const SATURATED = 0.8

type Demand = Pick<DirectoryShare, 'used' | 'want'>

/** What {@link SharedLimits} works with. */
export interface SharedLimitsOptions {
  /** Rejects with `cluster.*`: then what was allotted before stays. */
  readonly allot: (share: DirectoryShare) => Promise<number>
  /** Milliseconds on a clock that never jumps. @default that of the machine */
  readonly monotonic?: () => number
  readonly log: Logger
}

/** One limit at this server. */
class Share {
  readonly #key: string
  readonly #limit: number
  readonly #demand: (isBeat: boolean) => Demand
  readonly #options: SharedLimitsOptions
  #allowance: number
  /** The demand that the engine knows. */
  #known: Demand = { used: 0, want: 0 }
  #asking: Promise<void> | undefined
  #next: Promise<void> | undefined
  #closed = false
  onAllowance: ((allowance: number) => void) | undefined

  constructor(
    key: string,
    limit: number,
    allowance: number,
    demand: (isBeat: boolean) => Demand,
    options: SharedLimitsOptions
  ) {
    this.#key = key
    this.#limit = limit
    this.#allowance = allowance
    this.#demand = demand
    this.#options = options
  }

  get allowance(): number {
    return this.#allowance
  }

  /** A call that waits for one before it serves all that came meanwhile. */
  ask(): Promise<void> {
    if (this.#asking === undefined) return this.#start(false, true)
    this.#next ??= this.#asking.then(() => {
      this.#next = undefined
      return this.#start(false, true)
    })
    return this.#next
  }

  /** @param again Whether the engine may have forgotten it */
  beat(again: boolean): void {
    if (this.#asking === undefined) background(this.#start(true, again), this.#options.log, 'a limit was not shared')
  }

  close(): void {
    this.#closed = true
    background(this.ask(), this.#options.log, 'what was allotted of a limit was not given back')
  }

  #start(isBeat: boolean, again: boolean): Promise<void> {
    this.#asking = this.#ask(isBeat, again).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(isBeat: boolean, again: boolean): Promise<void> {
    const { allot, log } = this.#options
    const demand = this.#closed ? { used: 0, want: 0 } : this.#demand(isBeat)
    const { used, want } = demand
    const before = this.#allowance
    const same = used === this.#known.used && want === this.#known.want
    const none = used === 0 && want === 0 && before === 0 && same
    if (none || (!again && same && before === used && before >= want)) return
    // Until it has answered the engine may give what is not used to another server.
    this.#allowance = Math.min(before, used)
    try {
      this.#allowance = await allot({ key: this.#key, limit: this.#limit, used, want })
      this.#known = demand
    } catch (error) {
      this.#allowance = before
      log.debug({ err: error, key: this.#key }, 'a limit keeps what was allotted of it')
    }
    if (this.#allowance !== before) this.onAllowance?.(this.#allowance)
  }
}

/** Limits of all servers together: what this server was allotted of each. Where the engine is away that stays as it was. */
export class SharedLimits {
  readonly #options: SharedLimitsOptions
  readonly #shares = new Map<string, Share>()

  constructor(options: SharedLimitsOptions) {
    this.#options = options
  }

  /** See `RuntimeCluster.share`. */
  share(key: string, limit: number, held: () => number): SharedLimit {
    let waiting = 0
    let before = -1
    const headroom = Math.floor(limit / HEADROOM)
    const demand = (isBeat: boolean): Demand => {
      const used = held()
      const more = used + waiting
      const idle = isBeat && waiting === 0 && used === before
      if (isBeat) before = used
      return { used, want: more === 0 || idle ? used : Math.max(used, Math.min(limit, more + headroom)) }
    }
    const share = this.#put(key, limit, 0, demand)
    return {
      get allowance() {
        return share.allowance
      },
      ask: async () => {
        waiting += 1
        try {
          await share.ask()
        } finally {
          waiting -= 1
        }
      },
      close: () => this.#remove(key, share)
    }
  }

  /** See `RuntimeCluster.shareRate`. */
  shareRate(key: string, limit: number, total: () => number, onAllowance: (allowance: number) => void): SharedRate {
    const floor = Math.max(1, Math.floor(limit / FLOOR))
    const { monotonic = () => performance.now() } = this.#options
    let before = total()
    let since = monotonic()
    let allowance = floor
    const demand = (isBeat: boolean): Demand => {
      if (!isBeat) return { used: floor, want: allowance }
      const now = monotonic()
      const all = total()
      const rate = ((all - before) * 1000) / Math.max(1, now - since)
      before = all
      since = now
      const want = rate >= allowance * SATURATED ? limit : Math.min(limit, Math.ceil(rate * 2))
      return { used: floor, want: Math.max(floor, want) }
    }
    const share = this.#put(key, limit, floor, demand)
    allowance = Math.min(limit, share.allowance)
    share.onAllowance = (next) => {
      allowance = next
      onAllowance(next)
    }
    onAllowance(allowance)
    return { close: () => this.#remove(key, share) }
  }

  /** Tells what has changed, and gives back what is not used. @param again Whether the engine may have forgotten everything */
  beat(again: boolean): void {
    for (const share of this.#shares.values()) share.beat(again)
  }

  /** One of a key takes the place of the one before, and what that was allotted. */
  #put(key: string, limit: number, allowance: number, demand: (isBeat: boolean) => Demand): Share {
    const before = this.#shares.get(key)?.allowance ?? allowance
    const share = new Share(key, limit, Math.min(limit, before), demand, this.#options)
    this.#shares.set(key, share)
    share.beat(true)
    return share
  }

  #remove(key: string, share: Share): void {
    if (this.#shares.get(key) !== share) return
    this.#shares.delete(key)
    share.close()
  }
}
