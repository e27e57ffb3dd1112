import type { LookupAddress } from 'node:dns'
import type { Socket } from 'node:net'
import { asError } from './errors.js'

/**
 * Milliseconds after which the next address is tried beside those that have not answered, RFC 8305 section 5. The ones
 * before go on, so that a far server on a slow line is reached all the same: it is only a little more work for it.
 */
const ATTEMPT_DELAY = 250

/** Addresses of one name that are tried. Who has more of them is up to something. */
const MAX_ATTEMPTS = 16

/** The order of RFC 8305 section 4: the families take turns, and each keeps the order of the resolver. */
export const interleave = (found: readonly LookupAddress[]): string[] => {
  const first = found.filter(({ family }) => family === found[0]?.family)
  const second = found.filter(({ family }) => family !== found[0]?.family)
  const turns = Array.from({ length: Math.max(first.length, second.length) }, (_, i) => [first[i], second[i]])
  const addresses = turns.flat().flatMap((entry) => (entry === undefined ? [] : [entry.address]))
  return [...new Set(addresses)].slice(0, MAX_ATTEMPTS)
}

/** How {@link firstToConnect} tries. */
export interface RaceOptions {
  readonly signal: AbortSignal
  /** Starts an attempt. */
  connect(address: string): Socket
  /** Milliseconds. @default 250 */
  readonly delay?: number
}

/**
 * The first of several addresses that answers, RFC 8305. An attempt that fails makes the next one start at once; those
 * that come too late are destroyed. Rejects with the error of the only attempt, an `AggregateError` of all, or the reason
 * of the signal.
 *
 * Not Node's `autoSelectFamily`: that gives each address but the last up after its delay, so that a server more than
 * 250 ms away is never reached at its first one.
 */
export const firstToConnect = (
  addresses: readonly string[],
  { signal, connect, delay = ATTEMPT_DELAY }: RaceOptions
): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const attempts = new Set<Socket>()
    const errors: Error[] = []
    let timer: NodeJS.Timeout | undefined
    let next = 0
    let over = false

    const settle = (): void => {
      over = true
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      for (const attempt of attempts) attempt.destroy()
    }
    const fail = (error: Error): void => {
      settle()
      reject(error)
    }
    const aborted = (): void => fail(asError(signal.reason))
    const failed = (error: Error): void => {
      if (over) return
      errors.push(error)
      if (next < addresses.length) start()
      else if (attempts.size === 0)
        fail(errors.length === 1 ? error : new AggregateError(errors, 'no address answered'))
    }
    const start = (): void => {
      clearTimeout(timer)
      const address = addresses[next] as string
      next += 1
      if (next < addresses.length) timer = setTimeout(start, delay)
      const attempt = connect(address)
      attempts.add(attempt)
      const onError = (error: Error): void => {
        attempts.delete(attempt)
        failed(Object.assign(error, { address }))
      }
      attempt.on('error', onError)
      attempt.once('connect', () => {
        if (over) return
        attempts.delete(attempt)
        attempt.removeListener('error', onError)
        settle()
        resolve(attempt)
      })
    }

    if (signal.aborted) return fail(asError(signal.reason))
    if (addresses.length === 0) return fail(new Error('the name has no address'))
    signal.addEventListener('abort', aborted, { once: true })
    start()
  })
