import type { RawStream } from '@rystra/bytes'
import type { Clock } from '@rystra/plugin'
import { errorFrame } from '@rystra/protocol'

/** Milliseconds the other side has to take a refusal and close, before the stream is reset. */
const LINGER_MS = 5000

/**
 * Tells the other side why there is no stream. The reset comes from there: one from here could overtake what it says.
 */
export const refuseStream = (raw: RawStream, error: unknown, clock: Clock): void => {
  if (raw.closed) return
  const frame = Buffer.from(errorFrame(error, { detail: true }))
  const cancel = clock.after(LINGER_MS, () => raw.reset())
  raw.onClose = cancel
  raw.read({ onBytes: () => true, onEnd: () => {} })
  raw.write(frame, 0, frame.length, false)
  raw.end()
}
