import { larger, Slots } from './slots.js'

/** A rate per second and its burst. */
export interface Limit {
  readonly rate: number
  readonly burst: number
}

/** Longest delay of a timer in milliseconds. */
const MAX_DELAY_MS = 2 ** 31 - 1

/**
 * Token buckets of many keys, one column per limit. Rows start full, and full rows can be dropped. About 200 bytes per
 * key, text included, and 16 per further column.
 */
export class BucketTable {
  readonly #limits: readonly Limit[]
  readonly #slots: Slots
  #tokens = new Float64Array(0)
  #since = new Float64Array(0)
  #now = 0

  /** @param capacity keys, at most */
  constructor(limits: readonly Limit[], capacity: number) {
    this.#limits = limits
    this.#slots = new Slots(
      capacity,
      (slot) => this.#fullness(slot),
      (size) => {
        this.#tokens = larger(this.#tokens, size * limits.length)
        this.#since = larger(this.#since, size * limits.length)
      }
    )
  }

  get size(): number {
    return this.#slots.size
  }

  /** The slot of a key. It is the key's until others have taken theirs: ask again, with the last as a hint. */
  slot(key: string, now: number, hint?: number): number {
    this.#now = now
    return this.#slots.take(key, this.#fill, hint)
  }

  /** Milliseconds until `count` are there, as far as the bucket can hold them; 0 when they are. */
  wait(slot: number, column: number, count: number, now: number): number {
    const { rate, burst } = this.#limits[column] as Limit
    const missing = Math.min(count, burst) - this.#refill(slot, column, now)
    return missing <= 0 ? 0 : inTime(missing, rate)
  }

  /** Takes `count`, there or not, and answers with the milliseconds until the debt is paid; 0 without debt. */
  spend(slot: number, column: number, count: number, now: number): number {
    const left = this.#refill(slot, column, now) - count
    this.#tokens[slot * this.#limits.length + column] = left
    return left >= 0 ? 0 : inTime(-left, (this.#limits[column] as Limit).rate)
  }

  /**
   * Takes over what the buckets of another table have left.
   *
   * @param columns for each column of this table that of the other one, -1 for a limit that it has not
   */
  takeOver(before: BucketTable, columns: readonly number[], now: number): void {
    this.#now = now
    for (const [key, from] of before.#slots.entries()) {
      const slot = this.#slots.take(key, this.#fill)
      for (const [column, old] of columns.entries()) {
        if (old < 0) continue
        const { burst } = this.#limits[column] as Limit
        this.#tokens[slot * this.#limits.length + column] = Math.min(burst, before.#refill(from, old, now))
      }
    }
  }

  #refill(slot: number, column: number, now: number): number {
    const at = slot * this.#limits.length + column
    const { rate, burst } = this.#limits[column] as Limit
    const passed = now - (this.#since[at] as number)
    if (passed > 0) {
      this.#tokens[at] = Math.min(burst, (this.#tokens[at] as number) + (passed * rate) / 1000)
      this.#since[at] = now
    }
    return this.#tokens[at] as number
  }

  readonly #fill = (slot: number): void => {
    for (const [column, { burst }] of this.#limits.entries()) {
      const at = slot * this.#limits.length + column
      this.#tokens[at] = burst
      this.#since[at] = this.#now
    }
  }

  /** 1 when all buckets of a row are full; the less, the more is owed. */
  #fullness(slot: number): number {
    let least = 1
    for (const [column, { burst }] of this.#limits.entries()) {
      least = Math.min(least, burst === 0 ? 1 : this.#refill(slot, column, this.#now) / burst)
    }
    return least
  }
}

const inTime = (missing: number, rate: number): number => Math.min(MAX_DELAY_MS, Math.ceil((missing * 1000) / rate))
