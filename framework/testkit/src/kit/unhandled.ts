import assert from 'node:assert/strict'

const events = ['uncaughtException', 'unhandledRejection'] as const

/**
 * Runs something, and fails if meanwhile there was an unhandled error: outside a test it would end the
 * process. The listeners of the test runner stand aside.
 */
export const nothingUnhandled = async (body: () => Promise<void>): Promise<void> => {
  const seen: unknown[] = []
  const keep = (error: unknown): void => void seen.push(error)
  const others = events.map((event) => process.rawListeners(event))
  for (const event of events) {
    process.removeAllListeners(event)
    process.on(event, keep)
  }
  try {
    await body()
  } finally {
    for (const [index, event] of events.entries()) {
      process.removeListener(event, keep)
      for (const listener of others[index] ?? []) process.on(event, listener as () => void)
    }
  }
  assert.equal(seen.length, 0, `unhandled error: ${seen[0] instanceof Error ? seen[0].stack : seen[0]}`)
}
