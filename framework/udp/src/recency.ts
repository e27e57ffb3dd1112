/** An entry of a {@link Recency}. */
export interface Recent {
  /** Milliseconds of its last use. */
  seen: number
  newer: Recent | undefined
  older: Recent | undefined
}

/** Items in the order of their last use. Every operation is O(1). */
export class Recency<Item extends Recent> {
  #newest: Recent | undefined
  #oldest: Recent | undefined
  size = 0

  /** The least recently used item. */
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

  /** Marks an item as used. */
  touch(item: Item, now: number): void {
    item.seen = now
    if (this.#newest === item) return
    this.remove(item)
    this.add(item)
  }
}
