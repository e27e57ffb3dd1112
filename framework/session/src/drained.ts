import type { Clock } from '@rystra/plugin'

/** Milliseconds between two checks of what is still open. */
const CHECK_MS = 20

/** Resolves when `open` answers 0, or after `deadline` milliseconds. Keeps the process up until then. */
export const drained = (open: () => number, deadline: number, clock: Clock): Promise<void> =>
  new Promise((resolve) => {
    if (deadline <= 0 || open() === 0) return resolve()
    const finish = (): void => {
      cancel()
      clearInterval(checking)
      resolve()
    }
    const cancel = clock.after(deadline, finish)
    const checking = setInterval(() => {
      if (open() === 0) finish()
    }, CHECK_MS)
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
