/** Something with work per turn of the event loop. */
export interface Turning {
  turn(): void
}

/** Batches the work of a turn of the event loop: a link sends once for all received packets. */
export class Turns {
  #woken = new Set<Turning>()
  #scheduled = false
  /** Called at the end of each batch. */
  onEnd: () => void = () => {}

  wake(item: Turning): void {
    this.#woken.add(item)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#run)
  }

  readonly #run = (): void => {
    this.#scheduled = false
    const woken = this.#woken
    this.#woken = new Set()
    for (const item of woken) item.turn()
    this.onEnd()
  }
}
