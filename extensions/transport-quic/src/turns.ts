/** Something with work per turn of the event loop. */
export interface Turning {
  turn(): void
}

/** Batches the work of a turn of the event loop: a link sends once for all received packets. */
export class Turns<Item extends Turning> {
  readonly #run: (item: Item) => void
  #woken = new Set<Item>()
  #scheduled = false
  /** Called at the end of each batch. */
  onEnd: () => void = () => {}

  /** @param run calls `turn`, and throws nothing */
  constructor(run: (item: Item) => void) {
    this.#run = run
  }

  wake(item: Item): void {
    this.#woken.add(item)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#runAll)
  }

  readonly #runAll = (): void => {
    this.#scheduled = false
    const woken = this.#woken
    this.#woken = new Set()
    for (const item of woken) this.#run(item)
    this.onEnd()
  }
}
