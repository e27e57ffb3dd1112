import type { Clock } from '@rystra/plugin'

/** Milliseconds that never go back: time that a clock is set back by counts as none. Those set forward it follows. */
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
