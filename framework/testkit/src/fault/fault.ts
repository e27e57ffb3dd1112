import type { Clock } from '@rystra/plugin'

/** What a fault works with, for one direction of one stream. */
export interface FaultHost {
  readonly clock: Clock
  /** Resets the stream, as a network that lost it would: both ends see it. */
  cut(): void
}

/**
 * Something that goes wrong with the bytes of one direction. Takes chunks, yields what is to arrive instead; its end is the
 * end of the direction. Faults are put behind one another, and the same ones do the same each time.
 */
export type Fault = (bytes: AsyncIterable<Buffer>, host: FaultHost) => AsyncIterable<Buffer>

/** A fault that a test switches. */
export interface Gate {
  readonly fault: Fault
  /** Bytes that have come to it so far. */
  readonly passed: number
  /** Lets everything go on. */
  open(): void
}
