/** One visitor after the other, each asking `ask`, until the returned function is called; it answers with what came. */
export const visitors = (ask: () => Promise<string>): (() => Promise<Map<string, number>>) => {
  const came = new Map<string, number>()
  let over = false
  const run = (async () => {
    while (!over) {
      const answer = await ask().catch((error: NodeJS.ErrnoException) => error.code ?? error.message)
      came.set(answer, (came.get(answer) ?? 0) + 1)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  return async () => {
    over = true
    await run
    return came
  }
}
