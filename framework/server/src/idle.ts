import type { Pump } from '@rystra/bytes'
import { RystraError } from '@rystra/model'
import type { Clock } from '@rystra/plugin'
import type { Duplex } from 'node:stream'

/** Looks at a stream this often within its time. */
const LOOKS = 4

/**
 * Resets a stream on which nothing went either way for `timeout` milliseconds, or at the most a quarter more. One
 * that its bandwidth holds back is not idle.
 *
 * @param besides bytes that went beside it so far
 */
export const watchIdle = (pump: Pump, besides: () => number, timeout: number, visitor: Duplex, clock: Clock): void => {
  let seen = -1
  let quiet = 0
  let cancel: () => void
  const look = (): void => {
    const bytes = pump.aToB + pump.bToA + besides()
    quiet = bytes === seen && !pump.paused ? quiet + 1 : 0
    seen = bytes
    if (quiet >= LOOKS) pump.reset(new RystraError('stream.idle', { side: 'server' }))
    else cancel = clock.after(timeout / LOOKS, look)
  }
  cancel = clock.after(timeout / LOOKS, look)
  visitor.once('close', () => cancel())
}
