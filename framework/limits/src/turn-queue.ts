/** Options of {@link TurnQueue}. */
export interface TurnQueueOptions {
  /** Tasks that are started in one turn of the event loop. */
  readonly perTurn: number
  /** Calls `fn` after the I/O that is ready now. @default setImmediate */
  readonly nextTurn?: (fn: () => void) => void
}

/**
 * Starts tasks in the order of their arrival, a few in each turn of the event loop. What is under way gets the rest of
 * each turn: of a thousand peers that come at once the first are done while the last wait, where otherwise all would be
 * half done for as long as all take together, and miss their deadlines. A task holds no place while it waits for its peer,
 * so that silent peers delay no other, and an idle process starts each at once.
 */
export class TurnQueue {
  readonly #options: TurnQueueOptions
  readonly #tasks = new Set<() => void>()
  #scheduled = false

  constructor(options: TurnQueueOptions) {
    this.#options = options
  }

  /** Tasks that are not started yet. */
  get size(): number {
    return this.#tasks.size
  }

  /** Starts `task` when its turn comes, never at once. The returned function removes it. */
  add(task: () => void): () => void {
    // The same function may be added twice.
    const one = (): void => task()
    this.#tasks.add(one)
    this.#schedule()
    return () => void this.#tasks.delete(one)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const { nextTurn = setImmediate } = this.#options
    nextTurn(() => this.#turn())
  }

  #turn(): void {
    this.#scheduled = false
    const due: (() => void)[] = []
    for (const task of this.#tasks) {
      if (due.length === this.#options.perTurn) break
      due.push(task)
    }
    try {
      // One that was removed by another of this turn is not started.
      for (const task of due) if (this.#tasks.delete(task)) task()
    } finally {
      if (this.#tasks.size > 0) this.#schedule()
    }
  }
}
