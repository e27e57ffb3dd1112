import { type Clock, isRystraError, RystraError } from '@rystra/plugin'
import { HANDSHAKE_TIMEOUT } from './limits.js'

/**
 * Runs a step of dialing with a signal that is aborted with the given one, and when the time of a handshake is over. What
 * it was given up for is what this rejects with, as `connect.unreachable` unless it is an error of ours.
 */
export const withDeadline = async <Result>(
  signal: AbortSignal,
  clock: Clock,
  at: string,
  run: (signal: AbortSignal) => Promise<Result>
): Promise<Result> => {
  const over = new AbortController()
  const aborted = (): void => {
    const { reason } = signal as { reason: unknown }
    const why = reason instanceof Error ? reason.message : 'given up'
    over.abort(
      isRystraError(reason)
        ? reason
        : new RystraError('connect.unreachable', { detail: `${at}, ${why}`, cause: reason })
    )
  }
  if (signal.aborted) aborted()
  signal.addEventListener('abort', aborted)
  const late = `${at}, no answer within ${HANDSHAKE_TIMEOUT / 1000} s`
  const cancel = clock.after(HANDSHAKE_TIMEOUT, () =>
    over.abort(new RystraError('connect.unreachable', { detail: late }))
  )
  try {
    return await run(over.signal)
  } finally {
    cancel()
    signal.removeEventListener('abort', aborted)
  }
}
