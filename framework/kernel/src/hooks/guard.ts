import { type Clock, isRystraError, type Logger, RystraError } from '@rystra/plugin'
import { type Accept, Denial } from './answers.js'
import { within } from '../clock.js'
import { placeOf } from '../place.js'
import type { Tap } from './tap.js'

/** How long a tap of policy `skip` is left out after it failed. */
const COOL_DOWN_MS = 30_000

/** A tap that fails for each chunk must not fill the log: one line in this time says how many there were. */
const LOG_INTERVAL_MS = 1000

/** What a guard works with. */
export interface GuardHost {
  readonly clock: Clock
  readonly log: Logger
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  (typeof value === 'object' || typeof value === 'function') &&
  value !== null &&
  typeof (value as { then?: unknown }).then === 'function'

/** Refuses what a synchronous function must not return. It is not awaited, so its rejection must not end the process. */
const refuseThenable = (tap: Tap, value: unknown): void => {
  if (!isThenable(value)) return
  value.then(undefined, () => {})
  throw new RystraError('extension.async-tap', { detail: `${tap.extension} in ${tap.hook} returned a promise` })
}

const logFailure = (tap: Tap, host: GuardHost, error: RystraError): void => {
  const now = host.clock.now()
  if (now >= tap.lastLogged && now - tap.lastLogged < LOG_INTERVAL_MS) {
    tap.unlogged++
    return
  }
  const err = error.cause ?? error
  // A tap that was late has no place: its error was made here.
  const at = error.code === 'hook.timeout' ? undefined : placeOf(err)
  const fields = { err, extension: tap.extension, hook: tap.hook, onFailure: tap.onFailure, ...(at && { at }) }
  host.log.error(tap.unlogged === 0 ? fields : { ...fields, unlogged: tap.unlogged }, error.message)
  tap.lastLogged = now
  tap.unlogged = 0
}

/** A tap that keeps the event loop for longer is logged: nothing else of the process runs meanwhile. */
const BLOCKED_MS = 1000

/** Counts the time of a tap, `ms` of it without giving way. */
const took = ({ counters, extension, hook }: Tap, { log }: GuardHost, ms: number): void => {
  counters.totalMs += ms
  if (ms < BLOCKED_MS) return
  log.warn(
    { extension, hook, blockedMs: Math.round(ms) },
    'a tap blocked the event loop: all sessions and streams waited for it'
  )
}

/** Counts and logs a failure, then does what the policy of the tap says: throws, or goes on as if it had said nothing. */
const fail = (tap: Tap, host: GuardHost, error: unknown): undefined => {
  const late = isRystraError(error) && error.code === 'hook.timeout'
  tap.counters.errors++
  if (late) tap.counters.timeouts++
  const failure = late
    ? error
    : new RystraError('hook.failed', { detail: `${tap.extension} in ${tap.hook}`, cause: error })
  logFailure(tap, host, failure)
  if (tap.onFailure === 'closed') throw failure
  if (tap.onFailure === 'skip') tap.skipUntil = host.clock.now() + COOL_DOWN_MS
  return undefined
}

const isSkipped = (tap: Tap, host: GuardHost): boolean => {
  if (tap.skipUntil === 0) return false
  if (host.clock.now() < tap.skipUntil) {
    tap.counters.skipped++
    return true
  }
  tap.skipUntil = 0
  return false
}

/** A synchronous tap as tapable gets it: counted, checked, and its failures treated by its policy. */
export const guardSync =
  (tap: Tap, host: GuardHost, accept: Accept) =>
  (...args: unknown[]): unknown => {
    if (isSkipped(tap, host)) return undefined
    const { counters } = tap
    counters.calls++
    const start = performance.now()
    try {
      const answer = tap.fn(...args)
      if (answer === undefined) return undefined
      refuseThenable(tap, answer)
      return accept(answer, args[0])
    } catch (error) {
      if (error instanceof Denial) throw error
      return fail(tap, host, error)
    } finally {
      took(tap, host, performance.now() - start)
    }
  }

/** The same for `onData`, which is called for each chunk: no argument array, and a dropped chunk ends the asking. */
export const guardData =
  (tap: Tap, host: GuardHost, accept: Accept) =>
  (chunk: Buffer, context: unknown): unknown => {
    if (chunk.length === 0 || isSkipped(tap, host)) return undefined
    const { counters } = tap
    counters.calls++
    const start = performance.now()
    try {
      const answer = tap.fn(chunk, context)
      if (answer === undefined) return undefined
      refuseThenable(tap, answer)
      return accept(answer, chunk)
    } catch (error) {
      return fail(tap, host, error)
    } finally {
      took(tap, host, performance.now() - start)
    }
  }

/** An asynchronous tap: as above, and it has to answer in time. */
export const guardPromise =
  (tap: Tap, host: GuardHost, accept: Accept) =>
  async (...args: unknown[]): Promise<unknown> => {
    if (tap.applies !== undefined && !tap.applies(...args)) return undefined
    if (isSkipped(tap, host)) return undefined
    const { counters } = tap
    counters.calls++
    const start = performance.now()
    let blocked = 0
    try {
      const answer = tap.fn(...args)
      blocked = performance.now() - start
      if (!isThenable(answer)) return accept(answer, args[0])
      return accept(await within(host.clock, tap.timeout, answer, () => lateError(tap)), args[0])
    } catch (error) {
      if (error instanceof Denial) throw error
      return fail(tap, host, error)
    } finally {
      if (blocked < BLOCKED_MS) counters.totalMs += performance.now() - start
      else took(tap, host, blocked)
    }
  }

const lateError = (tap: Tap): RystraError =>
  new RystraError('hook.timeout', { detail: `${tap.extension} in ${tap.hook} took longer than ${tap.timeout} ms` })

/** Whether a stream concerns a tap. A `concerns` that fails is a failure of the tap: thrown for policy `closed`, otherwise no. */
export const asksFor = (tap: Tap, host: GuardHost, stream: Parameters<NonNullable<Tap['concerns']>>[0]): boolean => {
  if (tap.concerns === undefined) return true
  try {
    const answer: unknown = tap.concerns(stream)
    refuseThenable(tap, answer)
    return Boolean(answer)
  } catch (error) {
    fail(tap, host, error)
    return false
  }
}
