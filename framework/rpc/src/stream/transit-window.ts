/** Transits that are kept, at most: of faster streams each second, third … one. */
const CAPACITY = 1024

interface Entry {
  readonly at: number
  readonly transit: number
}

/** Transits of the last seconds with their order: minimum and percentiles without sorting. Times in milliseconds. */
export class TransitWindow {
  readonly #windowMs: number
  readonly #sorted = new Float64Array(CAPACITY + 1)
  #entries: Entry[] = []
  /** The entries from here on count; those before it are cut off now and then. */
  #first = 0
  #stride = 1
  #skipped = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  get size(): number {
    return this.#entries.length - this.#first
  }

  add(at: number, transit: number): void {
    this.#expire(at)
    if (++this.#skipped < this.#stride) return
    this.#skipped = 0
    this.#insert({ at, transit })
    if (this.size > CAPACITY) {
      this.#stride++
      this.#shift()
    } else if (this.#stride > 1 && this.size < CAPACITY / 2) this.#stride--
  }

  clear(): void {
    this.#entries = []
    this.#first = 0
    this.#stride = 1
  }

  /** NaN when it is empty. */
  get min(): number {
    return this.percentile(0)
  }

  /** The smallest that a part of all does not exceed: 0.99 for the 99th percentile. */
  percentile(part: number): number {
    if (this.size === 0) return Number.NaN
    return this.#sorted[Math.max(0, Math.ceil(part * this.size) - 1)] as number
  }

  #expire(now: number): void {
    // An entry of the future is from before the clock was set back.
    for (let first = this.#entries[this.#first]; first !== undefined; first = this.#entries[this.#first]) {
      if (first.at <= now && now - first.at <= this.#windowMs) return
      this.#shift()
    }
  }

  #insert(entry: Entry): void {
    const place = this.#placeOf(entry.transit)
    this.#sorted.copyWithin(place + 1, place, this.size)
    this.#sorted[place] = entry.transit
    this.#entries.push(entry)
  }

  #shift(): void {
    const { transit } = this.#entries[this.#first] as Entry
    const place = this.#placeOf(transit)
    this.#sorted.copyWithin(place, place + 1, this.size)
    this.#first++
    if (this.#first < CAPACITY) return
    this.#entries = this.#entries.slice(this.#first)
    this.#first = 0
  }

  /** The first place whose value is not smaller. */
  #placeOf(transit: number): number {
    let [low, high] = [0, this.size]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#sorted[middle] as number) < transit) low = middle + 1
      else high = middle
    }
    return low
  }
}
