import type { StreamHandle, TrafficStats } from '@rystra/plugin'
import { TrafficTotals } from './traffic.js'

/** The running streams of a session or of a proxy, and what those that are over have carried. */
export class StreamTable {
  /** By the id of the handle. */
  readonly open = new Map<string, StreamHandle>()
  /** Streams about which hooks are being asked. */
  asking = 0
  readonly #totals: readonly TrafficTotals[]
  readonly #own = new TrafficTotals()

  /** @param end Totals of the whole end, which are counted along */
  constructor(end?: TrafficTotals) {
    this.#totals = end === undefined ? [this.#own] : [this.#own, end]
  }

  add(stream: StreamHandle): void {
    for (const totals of this.#totals) totals.opened += 1
    this.open.set(stream.id, stream)
  }

  /** Its service was reached after so many milliseconds. */
  reached(ms: number): void {
    for (const totals of this.#totals) totals.reached(ms)
  }

  /** Something of it was refused. */
  refuse(code: string): void {
    for (const totals of this.#totals) totals.refuse(code)
  }

  /** A stream that carries many visitors begins (1) or ends (-1). */
  carry(count: 1 | -1): void {
    for (const totals of this.#totals) totals.carriers += count
  }

  /** Counts a question to hooks until it is answered. */
  async counting<Answer>(pending: Promise<Answer>): Promise<Answer> {
    this.asking += 1
    try {
      return await pending
    } finally {
      this.asking -= 1
    }
  }

  /** It is over. @param refusal The error code, of one that was refused */
  delete(stream: StreamHandle, toService: number, toVisitor: number, refusal?: string): void {
    if (!this.open.delete(stream.id)) return
    for (const totals of this.#totals) {
      totals.toService += toService
      totals.toVisitor += toVisitor
      if (refusal !== undefined) totals.refuse(refusal)
    }
  }

  stats(): TrafficStats {
    return sumTraffic(this.#own, [this])
  }
}

/** Totals with what the open streams of these tables have carried so far. */
export const sumTraffic = (totals: TrafficTotals, tables: Iterable<StreamTable>): TrafficStats => {
  let streams = 0
  let bytesToService = totals.toService
  let bytesToVisitor = totals.toVisitor
  for (const { open } of tables) {
    streams += open.size
    for (const stream of open.values()) {
      const stats = stream.stats()
      bytesToService += stats.bytesToService
      bytesToVisitor += stats.bytesToVisitor
    }
  }
  const { opened, carriers, connectTimes, refused } = totals
  return { streams, opened, carriers, bytesToService, bytesToVisitor, connectTimes, refused }
}
