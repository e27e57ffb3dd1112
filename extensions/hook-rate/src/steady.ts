import type { Clock } from '@rystra/plugin'

/** Monotonic milliseconds: a clock set back does not go back, one set forward is followed. */
export const steady = (clock: Clock): (() => number) => {
  let last = clock.now()
  let lost = 0
  return () => {
    const now = clock.now()
    if (now < last) lost += last - now
    last = now
    return now + lost
  }
}
