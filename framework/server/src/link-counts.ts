import type { Link, ListenerStats } from '@rystra/plugin'
import { TrafficTotals } from '@rystra/session'

/** What came in at one listener. */
export class LinkCounts {
  #accepted = 0
  #open = 0
  readonly #totals = new TrafficTotals()

  /** Counts a link until it is closed. @returns what says that a link of streams is over; links of bytes say it themselves */
  arrived(link: Link): () => void {
    this.#accepted += 1
    this.#open += 1
    let open = true
    const closed = (): void => {
      if (open) this.#open -= 1
      open = false
    }
    if (link.kind === 'streams') return closed
    link.duplex.on('close', closed)
    return () => {}
  }

  refuse(code: string): void {
    this.#totals.refuse(code)
  }

  stats(): ListenerStats {
    return { accepted: this.#accepted, open: this.#open, refused: this.#totals.refused }
  }
}
