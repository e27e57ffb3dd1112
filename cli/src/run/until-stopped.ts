import { isRystraError } from '@rystra/model'
import type { Feed } from './feed.js'

/** A server or a client. */
export interface Running {
  readonly streams: number
  start(): Promise<void>
  stop(options?: { drain?: number }): Promise<void>
}

/** What a shell expects after Ctrl-C, and after a kill. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

/** Milliseconds in which a second signal is the first once more: `npx` passes on what the terminal has sent to us as well. */
const echo = 300

/**
 * Starts it, calls `started`, and waits until a signal stops it or `ended` settles. The first SIGINT or SIGTERM drains
 * and resolves; the second ends the process at once. Rejects with what a start failed with, or what ended it.
 */
export const untilStopped = async (
  running: Running,
  feed: Feed,
  started: () => void,
  ended: Promise<void> = new Promise(() => {})
): Promise<void> => {
  let asked = 0
  let stopped: () => void = () => {}
  let failed: (error: Error) => void = () => {}
  const done = new Promise<void>((resolve, reject) => {
    stopped = resolve
    failed = reject
  })
  // It may fail before anybody waits for it.
  done.catch(() => {})
  let up = false
  const onSignal = (name: 'SIGINT' | 'SIGTERM'): void => {
    const now = performance.now()
    if (asked > 0 && now - asked < echo) return
    if (asked > 0) process.exit(exitCodes[name])
    asked = now
    const { streams } = running
    const wait = streams === 0 ? '' : `; ${streams} open ${streams === 1 ? 'connection' : 'connections'} may finish`
    feed.event('stopping', { streams })
    feed.note(`stopping${wait}${streams === 0 ? '' : ' (Ctrl-C again ends at once)'}`)
    void running.stop(up ? {} : { drain: 0 }).then(stopped, failed)
  }
  const interrupt = (): void => onSignal('SIGINT')
  const terminate = (): void => onSignal('SIGTERM')
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', terminate)
  try {
    try {
      await running.start()
      up = true
    } catch (error) {
      // Given up by the signal: not a failure.
      if (asked > 0 && isRystraError(error)) return await done
      throw error
    }
    if (asked === 0) started()
    await Promise.race([done, ended.then(() => (asked > 0 ? done : undefined))])
  } catch (error) {
    await running.stop({ drain: 0 })
    throw error
  } finally {
    process.removeListener('SIGINT', interrupt)
    process.removeListener('SIGTERM', terminate)
  }
  feed.event('stopped', {})
}
