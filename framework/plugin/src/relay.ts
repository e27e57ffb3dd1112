import type { Duplex } from 'node:stream'

/** What went through a relay. */
export interface RelayResult {
  readonly bytesToService: number
  readonly bytesToVisitor: number
  /** Absent when both ends closed cleanly. */
  readonly error?: Error
}

/** Another way to join two streams, asked before the built-in one. `registries.relays` */
export interface Relay {
  readonly name: string
  /** Whether it can join these two. Not asked for streams that a tap, a transform, a pacer or an idle time-out concerns. */
  accepts(visitorSide: Duplex, serviceSide: Duplex): boolean
  /**
   * Joins them until both are done. Half-close and resets travel both ways. The data stream among them is a plain
   * `Duplex` over the one that {@link Relay.accepts} saw, since its head was read.
   */
  join(visitorSide: Duplex, serviceSide: Duplex, signal: AbortSignal): Promise<RelayResult>
}
