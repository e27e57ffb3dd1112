/** What a {@link Recency} keeps in order. */
export interface Recent {
  /** Milliseconds, when it was last used. */
  seen: number
  newer: Recent | undefined
  older: Recent | undefined
}

/** Things in the order in which they were used. Every operation is O(1). */
export class Recency<Item extends Recent> {
  #newest: Recent | undefined
  #oldest: Recent | undefined
  size = 0

  /** What was used longest ago. */
  get oldest(): Item | undefined {
    return this.#oldest as Item | undefined
  }

  add(item: Item): void {
    item.older = this.#newest
    item.newer = undefined
    if (this.#newest === undefined) this.#oldest = item
    else this.#newest.newer = item
    this.#newest = item
    this.size += 1
  }

  remove(item: Item): void {
    if (item.older === undefined) this.#oldest = item.newer
    else item.older.newer = item.newer
    if (item.newer === undefined) this.#newest = item.older
    else item.newer.older = item.older
    item.newer = undefined
    item.older = undefined
    this.size -= 1
  }

  /** It is used now. */
  touch(item: Item, now: number): void {
    item.seen = now
    if (this.#newest === item) return
    this.remove(item)
    this.add(item)
  }
}
