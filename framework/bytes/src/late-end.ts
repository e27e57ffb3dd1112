import type { Duplex } from 'node:stream'

/** What knows whether the connections of a peer end because it was killed. */
export interface Carrier {
  /** Why their ends are no ends. */
  readonly lost: Error | undefined
}

const carrier = Symbol('rystra.carrier')

/**
 * Has the end of a connection reported one turn of the event loop after it was read, and as a loss if its carrier is lost by
 * then: the kernel ends all connections of a process that was killed, at about the same time.
 */
export const reportEndLate = (stream: Duplex, by: Carrier): void => {
  ;(stream as { [carrier]?: Carrier })[carrier] = by
}

/** The carrier that its end waits for, if any. */
export const carrierOf = (stream: Duplex): Carrier | undefined => (stream as { [carrier]?: Carrier })[carrier]
