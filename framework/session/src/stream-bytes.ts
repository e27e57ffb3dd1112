import type { CountedStream, Pump } from '@rystra/bytes'
import type { AdmittedFlow, Direction, StreamStats } from '@rystra/plugin'
import type { CountedFlow } from './datagram-flows.js'

/** What one stream has carried, with the datagrams beside it, and when. */
export class StreamBytes {
  raw: CountedStream | undefined
  /** A relay of an extension counts by itself. */
  counts: Pump | undefined
  /** Of a visitor without a stream of its own. */
  visitorFlow: AdmittedFlow | undefined
  /** Which way bytes go that are written into the stream. */
  readonly #writes: Direction
  #flow: CountedFlow | undefined
  #flowGoes: Direction = 'toService'
  /** Milliseconds since the epoch. */
  readonly openedAt: number
  #connectTime: number | undefined

  constructor(writes: Direction, openedAt: number) {
    this.#writes = writes
    this.openedAt = openedAt
  }

  /** The service was reached now. Answers with how long that took. */
  reached(now: number): number {
    this.#connectTime = now - this.openedAt
    return this.#connectTime
  }

  stats(): Omit<StreamStats, 'paused'> {
    return {
      bytesToService: this.total('toService'),
      bytesToVisitor: this.total('toVisitor'),
      openedAt: this.openedAt,
      ...(this.#connectTime === undefined ? {} : { connectTime: this.#connectTime })
    }
  }

  /** @param goes where datagrams go that are sent into the flow */
  attach(flow: CountedFlow, goes: Direction): void {
    this.#flow = flow
    this.#flowGoes = goes
  }

  datagrams(direction: Direction): number {
    const flow = this.#flow
    if (flow === undefined) return 0
    return direction === this.#flowGoes ? flow.sent : flow.received
  }

  /** Without datagrams. */
  stream(direction: Direction): number {
    if (this.visitorFlow !== undefined)
      return direction === 'toService' ? this.visitorFlow.bytesToService : this.visitorFlow.bytesToVisitor
    if (this.counts !== undefined) return direction === 'toService' ? this.counts.aToB : this.counts.bToA
    if (this.raw === undefined) return 0
    return direction === this.#writes ? this.raw.written : this.raw.received
  }

  total(direction: Direction): number {
    return this.stream(direction) + this.datagrams(direction)
  }

  close(): void {
    this.#flow?.close()
  }
}
