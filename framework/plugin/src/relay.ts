import type { Pump, PumpDone, RawStream } from '@rystra/bytes'

/** Another way to join two streams, asked before the built-in one. `registries.relays` */
export interface Relay {
  readonly name: string
  /** Whether it may be able to join these two. Streams that a hook, a pace or a tap concerns have no `detach`. */
  accepts(visitor: RawStream, service: RawStream): boolean
  /**
   * Joins them until both are closed, and calls `done` once then. Half-close and resets travel both ways. The service was
   * reached, and nothing of either stream was read. `undefined`: it cannot after all, and has touched neither; then the
   * built-in pump joins them.
   */
  join(visitor: RawStream, service: RawStream, done: PumpDone): Pump | undefined
}
