import type { Admission, Direction } from '@rystra/plugin'

/** Applies the rate limits and taps of a visitor. The answer is what is sent, or why nothing is. Throws what a tap throws. */
export const shapeDatagram = (
  { pace, tap }: Admission,
  datagram: Buffer,
  direction: Direction
): Buffer | 'rate' | 'extension' => {
  if (pace !== undefined) {
    // A limit may be shared: its debt counts for the first datagram of a new session, too.
    if (pace(0, direction) > 0) return 'rate'
    pace(datagram.length, direction)
  }
  if (tap === undefined) return datagram
  // Taps may keep what they get; received datagrams of visitors are lent.
  const passed = tap(direction === 'toService' ? Buffer.from(datagram) : datagram, direction)
  // An empty result drops the chunk, unless the datagram was empty.
  return passed.length > 0 || datagram.length === 0 ? passed : 'extension'
}
