/**
 * A test that leaves a socket or a timer behind keeps mocha from ending. `--exit` would hide it, and without it a run would hang
 * for ever: so say what is left, and fail.
 */
const patience = 15_000

export const mochaHooks = {
  afterAll(): void {
    setTimeout(() => {
      const left = process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap' && name !== 'TTYWrap')
      console.error(`\nThe tests are over, but something was left open: ${left.join(', ')}`)
      process.exit(1)
    }, patience).unref()
  }
}
