import type {
  Clock,
  DirectoryChange,
  DirectoryClaim,
  DirectoryMember,
  DirectoryRow,
  DirectoryShare
} from '@rystra/plugin'
import { Presence } from './presence.js'
import { Shares } from './shares.js'

/** The member that a call comes from. */
export type Holder = Pick<DirectoryRow, 'member' | 'instance'>

/** Called with each change, within the call that makes it; with nothing when everything may have changed. */
type OnChange = (change?: DirectoryChange) => void

/** The state of one cluster. */
export class MemoryEngine {
  /** Rows by key, then by id. */
  readonly #rows = new Map<string, Map<string, DirectoryRow>>()
  /** By name. */
  readonly #present = new Map<string, Presence>()
  /** Instances whose lease is over, or that left: until when their rows are kept for their owners. */
  readonly #resting = new Map<string, number>()
  readonly #shares = new Shares()
  readonly #watchers = new Set<OnChange>()
  readonly #clock: Clock
  #fence: number

  constructor(clock: Clock) {
    this.#clock = clock
    // Larger than those of an engine before this one.
    this.#fence = clock.now() * 1000
  }

  #next(): number {
    this.#fence += 1
    return this.#fence
  }

  get members(): DirectoryMember[] {
    return [...this.#present.values()].map(({ member }) => member)
  }

  /** Of members whose lease runs. */
  get rows(): DirectoryRow[] {
    return [...this.#rows.values()].flatMap((rows) => [...rows.values()].filter((row) => this.#isPresent(row)))
  }

  /** The fencing number of the member, or nothing while another instance has the name. */
  join(member: Omit<DirectoryMember, 'fence'>, lease: number, grace: number): number | undefined {
    const before = this.#present.get(member.name)
    if (before !== undefined && before.member.instance !== member.instance) return undefined
    before?.stop()
    const joined = { ...member, fence: this.#next() }
    const presence = new Presence(joined, lease, this.#clock, () => this.#expired(joined, grace))
    this.#present.set(member.name, presence)
    this.#resting.delete(member.instance)
    this.#emit({ type: 'joined', member: joined })
    return joined.fence
  }

  /** Whether the lease was running still. */
  renew({ member, instance }: Holder): boolean {
    const present = this.#present.get(member)
    if (present?.member.instance !== instance) return false
    present.renew()
    return true
  }

  leave({ member, instance }: Holder): void {
    const present = this.#present.get(member)
    if (present?.member.instance !== instance) return
    present.stop()
    this.#present.delete(member)
    this.#shares.drop(instance)
    for (const [key, rows] of this.#rows) {
      for (const row of rows.values()) if (row.instance === instance) rows.delete(row.id)
      if (rows.size === 0) this.#rows.delete(key)
    }
    this.#emit({ type: 'left', name: member, instance })
  }

  #expired({ name, instance }: DirectoryMember, grace: number): void {
    this.#present.delete(name)
    this.#shares.drop(instance)
    this.#resting.set(instance, this.#clock.now() + grace)
    this.#emit({ type: 'left', name, instance })
  }

  #isPresent({ member, instance }: Holder): boolean {
    return this.#present.get(member)?.member.instance === instance
  }

  #isResting({ instance }: Holder): boolean {
    return (this.#resting.get(instance) ?? 0) > this.#clock.now()
  }

  /** The row, or those that are in its way. */
  claim({ replace = [], ...claim }: DirectoryClaim, holder: Holder): DirectoryRow | DirectoryRow[] {
    const rows = this.#rows.get(claim.key) ?? new Map<string, DirectoryRow>()
    const gone: DirectoryRow[] = []
    const held: DirectoryRow[] = []
    for (const row of rows.values()) {
      if (row.id === claim.id && row.instance === holder.instance) continue
      const same = row.owner === claim.owner
      if (!this.#isPresent(row) && (same || !this.#isResting(row))) gone.push(row)
      else if (same && replace.includes(row.fence)) gone.push(row)
      else if (!same || row.id === claim.id || claim.share === undefined || row.share !== claim.share) held.push(row)
    }
    if (held.length > 0) return held
    for (const row of gone) this.#remove(row)
    const row: DirectoryRow = { ...claim, ...holder, fence: this.#next() }
    this.#rows.set(claim.key, rows.set(row.id, row))
    this.#emit({ type: 'held', row })
    return row
  }

  release(key: string, id: string, { instance }: Holder): void {
    const row = this.#rows.get(key)?.get(id)
    if (row?.instance === instance) this.#remove(row)
  }

  #remove({ key, id, fence }: DirectoryRow): void {
    const rows = this.#rows.get(key)
    rows?.delete(id)
    if (rows?.size === 0) this.#rows.delete(key)
    this.#emit({ type: 'released', key, id, fence })
  }

  /** What the member may use of a limit, or nothing when its lease is over. */
  allot(share: DirectoryShare, holder: Holder): number | undefined {
    return this.#isPresent(holder) ? this.#shares.allot(share, holder.instance) : undefined
  }

  /** Returns what ends it. */
  subscribe(watcher: OnChange): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  #emit(change?: DirectoryChange): void {
    for (const watcher of this.#watchers) watcher(change)
  }

  /** While no member can renew, no lease ends; each gets another one afterwards. */
  away(away: boolean): void {
    for (const present of this.#present.values()) {
      if (away) present.stop()
      else present.renew()
    }
  }

  /** Forgets everything, as an engine does that is restarted without its data. */
  restart(): void {
    for (const present of this.#present.values()) present.stop()
    for (const state of [this.#rows, this.#present, this.#resting, this.#shares]) state.clear()
    this.#fence = Math.max(this.#fence, this.#clock.now() * 1000)
    this.#emit()
  }
}
