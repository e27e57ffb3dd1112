import type { Clock } from '@rystra/plugin'

/** Milliseconds between two looks at what is still open. */
const LOOK = 20

/** Resolves when `open` answers 0, or after `deadline` milliseconds. Keeps the process up until then. */
export const drained = (open: () => number, deadline: number, clock: Clock): Promise<void> =>
  new Promise((resolve) => {
    if (deadline <= 0 || open() === 0) return resolve()
    const finish = (): void => {
      cancel()
      clearInterval(looking)
      resolve()
    }
    const cancel = clock.after(deadline, finish)
    const looking = setInterval(() => {
      if (open() === 0) finish()
    }, LOOK)
  })

/** Resolves with `over`, but calls `force` when that takes longer than `ms` milliseconds. */
export const orElse = async (over: Promise<void>, ms: number, force: () => void, clock: Clock): Promise<void> => {
  const cancel = clock.after(ms, force)
  try {
    await over
  } finally {
    cancel()
  }
}
