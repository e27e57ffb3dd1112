/** What was refused too often. */
export interface Exceeded {
  readonly count: number
  /** Milliseconds. */
  readonly within: number
  /** Refusals by error code. */
  readonly codes: Readonly<Record<string, number>>
}

/** Parts of the window that are counted together: memory does not grow with the refusals. */
const SLOTS = 12

interface Slot {
  /** Milliseconds since the epoch. */
  readonly start: number
  readonly codes: Map<string, number>
}

/** Counts refusals in a sliding window, and tells once when there are too many, until there are few again. */
export class RefusalWindow {
  readonly #threshold: number
  readonly #within: number
  #slots: Slot[] = []
  #exceeded = false

  constructor({ count, within }: { readonly count: number; readonly within: number }) {
    this.#threshold = count
    this.#within = within
  }

  /** Adds refusals. The answer is for a notification, or `undefined`. Clocks that are set back begin anew. */
  add(code: string, count: number, now: number): Exceeded | undefined {
    const last = this.#slots.at(-1)
    if (last !== undefined && now < last.start) this.#slots = []
    this.#slots = this.#slots.filter(({ start }) => now - start < this.#within)
    const before = this.#total()
    if (before < this.#threshold) this.#exceeded = false
    let slot = this.#slots.at(-1)
    if (slot === undefined || now - slot.start >= this.#within / SLOTS) {
      slot = { start: now, codes: new Map() }
      this.#slots.push(slot)
    }
    slot.codes.set(code, (slot.codes.get(code) ?? 0) + count)
    const total = before + count
    if (total < this.#threshold || this.#exceeded) return undefined
    this.#exceeded = true
    return { count: total, within: this.#within, codes: Object.fromEntries(this.#codes()) }
  }

  #codes(): Map<string, number> {
    const codes = new Map<string, number>()
    for (const slot of this.#slots)
      for (const [code, count] of slot.codes) codes.set(code, (codes.get(code) ?? 0) + count)
    return codes
  }

  #total(): number {
    return [...this.#codes().values()].reduce((sum, count) => sum + count, 0)
  }
}
