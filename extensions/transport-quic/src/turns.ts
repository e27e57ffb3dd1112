/** Something that has work to do once per turn of the event loop. */
export interface Turning {
  turn(): void
}

/** Gathers what happens in a turn of the event loop: a link sends once for all packets that came, not once for each. */
export class Turns {
  #woken = new Set<Turning>()
  #scheduled = false
  /** Called after everybody had a turn. */
  onEnd: () => void = () => {}

  wake(who: Turning): void {
    this.#woken.add(who)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#run)
  }

  readonly #run = (): void => {
    this.#scheduled = false
    const woken = this.#woken
    this.#woken = new Set()
    for (const who of woken) who.turn()
    this.onEnd()
  }
}
