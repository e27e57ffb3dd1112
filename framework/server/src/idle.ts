import { RystraError } from '@rystra/model'
import type { Clock, StreamHandle } from '@rystra/plugin'

/** How often a stream is checked within its timeout. */
const CHECKS = 4

/**
 * Resets a stream on which nothing went either way for `timeout` milliseconds, or at the most a quarter more. One
 * that its pace holds back is not idle. The answer stops it.
 */
export const watchIdle = (stream: StreamHandle, timeout: number, clock: Clock): (() => void) => {
  let seen = -1
  let quiet = 0
  const check = (): void => {
    const { bytesToService, bytesToVisitor, paused } = stream.stats()
    const bytes = bytesToService + bytesToVisitor
    quiet = bytes === seen && !paused ? quiet + 1 : 0
    seen = bytes
    if (quiet >= CHECKS) stream.close(new RystraError('stream.idle', { side: 'server' }))
    else cancel = clock.after(timeout / CHECKS, check)
  }
  let cancel = clock.after(timeout / CHECKS, check)
  return () => cancel()
}
