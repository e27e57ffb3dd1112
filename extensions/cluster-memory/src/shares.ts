import type { DirectoryShare } from '@rystra/plugin'

/** What one instance was allotted, and what it could use. */
interface Allotted {
  readonly granted: number
  readonly want: number
}

/** Limits that members share. */
export class Shares {
  /** By key, then by instance. */
  readonly #byKey = new Map<string, Map<string, Allotted>>()

  /** See `DirectorySession.allot`. */
  allot({ key, limit, used, want }: DirectoryShare, instance: string): number {
    const shares = this.#byKey.get(key) ?? new Map<string, Allotted>()
    shares.delete(instance)
    let granted = 0
    let wanted = 0
    let members = 1
    for (const other of shares.values()) {
      granted += other.granted
      wanted += other.want
      members += 1
    }
    const fair = Math.max(Math.floor(limit / members), limit - wanted)
    const share = Math.max(used, Math.min(want, fair, limit - granted))
    if (want > 0 || share > 0) shares.set(instance, { granted: share, want })
    if (shares.size > 0) this.#byKey.set(key, shares)
    else this.#byKey.delete(key)
    return share
  }

  /** The lease of an instance is over. */
  drop(instance: string): void {
    for (const [key, shares] of this.#byKey) {
      shares.delete(instance)
      if (shares.size === 0) this.#byKey.delete(key)
    }
  }

  clear(): void {
    this.#byKey.clear()
  }
}
