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

/** What one that has a limit uses of it. */
interface Use {
  readonly limit: number
  /** What needs no answer of the engine. */
  readonly floor: number
  readonly demand: (isBeat: boolean) => Demand
  readonly onAllowance?: (allowance: number) => void
}

const NOTHING: Demand = { used: 0, want: 0 }

const isSame = (a: Demand, b: Demand | undefined): boolean => a.used === b?.used && a.want === b.want

/**
 * One limit at this server. It is there until the engine knows that nothing of it is used, so that all calls about a key are made one
 * after the other: one that comes late would undo what was asked for after it.
 */
class Share {
  readonly #key: string
  readonly #options: SharedLimitsOptions
  readonly #onGivenBack: () => void
  #use: Use | undefined
  #allowance = 0
  /** The demand that the engine knows; nothing after a call without an answer. */
  #known: Demand | undefined = NOTHING
  #asking: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(key: string, options: SharedLimitsOptions, onGivenBack: () => void) {
    this.#key = key
    this.#options = options
    this.#onGivenBack = onGivenBack
  }

  /** 0 for one that has closed it, or in whose place another has come. */
  allowance(use: Use): number {
    return this.#use === use ? this.#allowance : 0
  }

  /** Takes the place of the one before, and what that was allotted. */
  take(use: Use): void {
    this.#use = use
    this.#allot(this.#allowance)
    this.beat(true)
  }

  async ask(use: Use): Promise<void> {
    if (this.#use === use) await this.#askNext()
  }

  /** A call that waits for one before it serves all that came meanwhile. */
  #askNext(): Promise<void> {
    if (!this.#isBusy) return this.#start(false, true)
    const next = (): Promise<void> => {
      this.#next = undefined
      return this.#start(false, true)
    }
    this.#next ??= (this.#asking as Promise<void>).then(next, next)
    return this.#next
  }

  /** @param again Whether the engine may have forgotten it */
  beat(again: boolean): void {
    if (!this.#isBusy) this.#inBackground(this.#start(true, again))
    else if (again) this.#inBackground(this.#askNext())
  }

  close(use: Use): void {
    if (this.#use !== use) return
    this.#use = undefined
    this.#inBackground(this.#askNext())
  }

  get #isBusy(): boolean {
    return this.#asking !== undefined || this.#next !== undefined
  }

  #start(isBeat: boolean, again: boolean): Promise<void> {
    this.#asking = this.#ask(isBeat, again).finally(() => {
      this.#asking = undefined
      if (this.#use === undefined && this.#next === undefined && isSame(NOTHING, this.#known)) this.#onGivenBack()
    })
    return this.#asking
  }

  #inBackground(work: Promise<void>): void {
    background(work, this.#options.log, 'a limit was not shared')
  }

  async #ask(isBeat: boolean, again: boolean): Promise<void> {
    const { allot, log } = this.#options
    const demand = this.#use?.demand(isBeat) ?? NOTHING
    const { used, want } = demand
    const before = this.#allowance
    const same = isSame(demand, this.#known)
    const none = used === 0 && want === 0 && before === 0 && same
    if (none || (!again && same && before === used && before >= want)) return
    // Until it has answered the engine may give what is not used to another server.
    this.#allowance = Math.min(before, used)
    this.#known = undefined
    try {
      const granted = await allot({ key: this.#key, limit: this.#use?.limit ?? 0, used, want })
      this.#known = demand
      this.#allot(granted)
    } catch (error) {
      // What is given back may be gone.
      if (demand !== NOTHING) this.#allot(before)
      log.debug({ err: error, key: this.#key }, 'a limit keeps what was allotted of it')
    }
    this.#use?.onAllowance?.(this.#allowance)
  }

  #allot(allowance: number): void {
    const { floor, limit } = this.#use ?? { floor: 0, limit: allowance }
    this.#allowance = Math.min(limit, Math.max(floor, allowance))
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
    const use: Use = { limit, floor: 0, demand }
    const share = this.#put(key, use)
    return {
      get allowance() {
        return share.allowance(use)
      },
      ask: async () => {
        waiting += 1
        try {
          await share.ask(use)
        } finally {
          waiting -= 1
        }
      },
      close: () => share.close(use)
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
    const changed = (next: number): void => {
      allowance = next
      onAllowance(next)
    }
    const use: Use = { limit, floor, demand, onAllowance: changed }
    const share = this.#put(key, use)
    changed(share.allowance(use))
    return { close: () => share.close(use) }
  }

  /** Tells what has changed, and gives back what is not used. @param again Whether the engine may have forgotten everything */
  beat(again: boolean): void {
    for (const share of this.#shares.values()) share.beat(again)
  }

  #put(key: string, use: Use): Share {
    const share = this.#shares.get(key) ?? new Share(key, this.#options, () => this.#shares.delete(key))
    this.#shares.set(key, share)
    share.take(use)
    return share
  }
}
