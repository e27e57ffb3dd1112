import { PairedDuplex } from '@rystra/bytes'
import type { Duplex } from 'node:stream'

export { resetError } from '@rystra/bytes'

/** How a pair of joined streams behaves. */
export interface PairOptions {
  /** Bytes that each end queues in each direction before it holds the writer back. @default 65536, as Node's sockets */
  readonly highWaterMark?: number
}

/**
 * Two streams that are joined: what one writes the other reads. They behave as two connected sockets do: half-close
 * travels, a `destroy` before both ends are done is a reset that the other side sees as `ECONNRESET`, and a writer is
 * held back by a reader that does not read. Nothing is handed over in the turn it was written in.
 */
export const duplexPair = (options: PairOptions = {}): [Duplex, Duplex] => {
  const make = (): PairedDuplex => new PairedDuplex({ ...options, later: setImmediate })
  return PairedDuplex.join(make(), make())
}
