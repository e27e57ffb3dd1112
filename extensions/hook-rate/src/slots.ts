/** A copy with room for `size` numbers. */
export const larger = <Column extends Int32Array | Float64Array>(column: Column, size: number): Column => {
  const made = new (column.constructor as new (size: number) => Column)(size)
  made.set(column)
  return made
}

const NONE = -1

/** Slots examined for eviction; each in O(1). */
const MAX_EXAMINED = 16

/** The smallest size, in slots; doubles as it is needed. */
const FIRST = 64

/**
 * Assigns slots to a bounded number of keys. When full, it evicts among the least recently used the one with the
 * highest `spare`, at best 1.
 */
export class Slots {
  readonly #capacity: number
  readonly #spare: (slot: number) => number
  readonly #grown: (size: number) => void
  readonly #slots = new Map<string, number>()
  readonly #keys: string[] = []
  #before: Int32Array
  #after: Int32Array
  #newest = NONE
  #oldest = NONE

  /**
   * @param spare how little is lost with a slot: 1 for nothing
   * @param grown called with the new size before there are more slots
   */
  constructor(capacity: number, spare: (slot: number) => number, grown: (size: number) => void) {
    const size = Math.min(capacity, FIRST)
    this.#capacity = capacity
    this.#spare = spare
    this.#grown = grown
    this.#before = new Int32Array(size)
    this.#after = new Int32Array(size)
    grown(size)
  }

  get size(): number {
    return this.#keys.length
  }

  /** The slot of a key that has one. */
  find(key: string): number | undefined {
    return this.#slots.get(key)
  }

  /**
   * The slot of a key, which is now the one last used; a new one where it has none.
   *
   * @param hint the slot it had last, if known: saves the look-up
   * @param made called with a slot that is new, or was another's
   */
  take(key: string, made: (slot: number) => void, hint = NONE): number {
    const slot = this.#keys[hint] === key ? hint : this.#slots.get(key)
    if (slot !== undefined) {
      this.#use(slot)
      return slot
    }
    const free = this.#keys.length < this.#capacity ? this.#add() : this.#evict()
    this.#keys[free] = key
    this.#slots.set(key, free)
    made(free)
    return free
  }

  /** Keys with their slots, the least recently used first. */
  *entries(): Generator<[key: string, slot: number]> {
    for (let slot = this.#oldest; slot !== NONE; slot = this.#after[slot] as number) {
      yield [this.#keys[slot] as string, slot]
    }
  }

  #add(): number {
    const slot = this.#keys.length
    if (slot === this.#before.length) {
      const size = Math.min(this.#capacity, 2 * slot)
      this.#before = larger(this.#before, size)
      this.#after = larger(this.#after, size)
      this.#grown(size)
    }
    this.#link(slot)
    return slot
  }

  #evict(): number {
    let best = this.#oldest
    let most = Number.NEGATIVE_INFINITY
    for (let examined = 0; examined < MAX_EXAMINED && most < 1; examined += 1) {
      const slot = this.#oldest
      const spare = this.#spare(slot)
      if (spare > most) {
        best = slot
        most = spare
      }
      this.#use(slot)
    }
    this.#slots.delete(this.#keys[best] as string)
    return best
  }

  #use(slot: number): void {
    if (slot === this.#newest) return
    const before = this.#before[slot] as number
    const after = this.#after[slot] as number
    if (before === NONE) this.#oldest = after
    else this.#after[before] = after
    this.#before[after] = before
    this.#link(slot)
  }

  #link(slot: number): void {
    this.#before[slot] = this.#newest
    this.#after[slot] = NONE
    if (this.#newest === NONE) this.#oldest = slot
    else this.#after[this.#newest] = slot
    this.#newest = slot
  }
}
