const { setTimeout: later } = globalThis

/** Turns of the event loop in which a condition is looked at without a pause: most hold within a few. */
const TURNS = 100

/** A wait that takes longer leaves the processor to what it waits for. */
const PAUSE_MS = 1

/** One turn of the event loop, or a millisecond once there were many of them. */
export const nextCheck = (checks: number): Promise<void> =>
  new Promise((resolve) => (checks < TURNS ? setImmediate(resolve) : later(resolve, PAUSE_MS)))

/** Waits until a condition holds. Rejects when it does not within `timeout` ms. */
export const until = async (
  holds: () => boolean | Promise<boolean>,
  what = 'a condition',
  timeout = 60_000
): Promise<void> => {
  const end = performance.now() + timeout
  for (let checks = 0; !(await holds()); checks++) {
    if (performance.now() > end) throw new Error(`timed out after ${timeout} ms waiting for ${what}`)
    await nextCheck(checks)
  }
}
