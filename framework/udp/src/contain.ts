import { toRystraError } from '@rystra/plugin'
import type { DropCounter } from './drop-counter.js'

/**
 * After an exception of the code for one datagram: that datagram is dropped and its session ended, and nothing else. A UDP socket is
 * shared by all visitors, so that the process has no connection to close for it, see ADR 27. Logged at the rate of dropped datagrams.
 */
export const afterException = (error: unknown, drops: DropCounter, end: () => void): void => {
  drops.add('exception', () => toRystraError(error, 'internal'))
  try {
    end()
  } catch (further) {
    drops.add('exception', () => toRystraError(further, 'internal'), 0)
  }
}
