import type { Duplex } from 'node:stream'

/** What knows whether the connections of a peer end because it was killed. */
export interface Carrier {
  /** Why their ends are no ends. */
  readonly lost: Error | undefined
}

const carrier = Symbol('rystra.carrier')

/** A kernel ends all connections of a process that was killed within this time, mostly. */
const LATE_MS = 2

/** Calls back when whatever a kernel has ended meanwhile was read as well: a timer is followed by a look at all sockets. */
export const whenAllEnded = (settle: () => void): void => void setTimeout(setImmediate, LATE_MS, settle)

/**
 * Has the end of a connection reported 2 ms after it was read, and as a loss if its carrier is lost by then: the kernel ends all
 * connections of a process that was killed, one after the other.
 */
export const reportEndLate = (stream: Duplex, by: Carrier): void => {
  ;(stream as { [carrier]?: Carrier })[carrier] = by
}

/** The carrier that its end waits for, if any. */
export const carrierOf = (stream: Duplex): Carrier | undefined => (stream as { [carrier]?: Carrier })[carrier]
