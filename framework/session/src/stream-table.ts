import type { StreamHandle, TrafficStats } from '@rystra/plugin'

/** The running streams of a session or of a proxy, and what those that are over have carried. */
export class StreamTable {
  readonly open = new Set<StreamHandle>()
  /** Streams about which hooks are being asked. */
  asking = 0
  #opened = 0
  #toService = 0
  #toVisitor = 0

  add(stream: StreamHandle): void {
    this.#opened += 1
    this.open.add(stream)
  }

  /** It is over. */
  delete(stream: StreamHandle, toService: number, toVisitor: number): void {
    if (!this.open.delete(stream)) return
    this.#toService += toService
    this.#toVisitor += toVisitor
  }

  stats(): TrafficStats {
    let bytesToService = this.#toService
    let bytesToVisitor = this.#toVisitor
    for (const stream of this.open) {
      const stats = stream.stats()
      bytesToService += stats.bytesToService
      bytesToVisitor += stats.bytesToVisitor
    }
    return { streams: this.open.size, opened: this.#opened, bytesToService, bytesToVisitor }
  }
}
