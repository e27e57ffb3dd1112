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

/** Lets turns of the event loop pass: enough for what is on its way within this process, also through loopback, to arrive. */
export const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/**
 * Waits until a value has stayed the same for 50 checks in a row, a millisecond apart: bytes that were sent, when back-pressure stops a
 * writer. What stops is told by no event.
 */
export const settled = async <Value>(value: () => Value): Promise<Value> => {
  let last = value()
  for (let same = 0; same < 50; same += 1) {
    await new Promise((resolve) => later(resolve, PAUSE_MS))
    const now = value()
    if (now !== last) same = -1
    last = now
  }
  return last
}
