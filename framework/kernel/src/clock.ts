import type { Clock } from '@rystra/plugin'

/** The longest time `setTimeout` takes, about 24.8 days; it fires at once when given more. */
const longest = 2 ** 31 - 1

/** Longer times are waited for in parts; a time in the past is now, which `setTimeout` warns of from Node 24 on. */
const wait = (ms: number, fn: () => void, set: (timer: NodeJS.Timeout) => void): void => {
  const timer = ms > longest ? setTimeout(() => wait(ms - longest, fn, set), longest) : setTimeout(fn, Math.max(0, ms))
  set(timer.unref())
}

/**
 * The time of this machine, as it was at the start plus what has passed since: it never jumps, so that nothing times out
 * because the clock was set. Timers do not keep the process up.
 */
export const systemClock: Clock = Object.freeze({
  now: () => Math.round(performance.timeOrigin + performance.now()),
  after(ms: number, fn: () => void) {
    let timer: NodeJS.Timeout | undefined
    wait(ms, fn, (next) => {
      timer = next
    })
    return () => clearTimeout(timer)
  }
})

/**
 * Settles as `promise` does, or rejects with what `late` makes once `ms` milliseconds have passed. 0 is no limit.
 * What the promise does afterwards is ignored, a rejection included.
 */
export const within = <T>(clock: Clock, ms: number, promise: PromiseLike<T>, late: () => Error): Promise<T> =>
  new Promise((resolve, reject) => {
    const cancel = ms === 0 ? undefined : clock.after(ms, () => reject(late()))
    promise.then(
      (value) => {
        cancel?.()
        resolve(value)
      },
      (error) => {
        cancel?.()
        reject(error)
      }
    )
  })

/**
 * Keeps the process up until `promise` settles: timers of a clock do not, and Node ends a process that only waits for a
 * promise, with code 13 and without a message.
 */
export const keepAlive = async <T>(promise: Promise<T>): Promise<T> => {
  const timer = setInterval(() => {}, longest)
  try {
    return await promise
  } finally {
    clearInterval(timer)
  }
}
