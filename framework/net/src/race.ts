import type { LookupAddress } from 'node:dns'
import type { Socket } from 'node:net'
import { asError } from './errors.js'

/**
 * Connection attempt delay of RFC 8305 section 5. Earlier attempts continue, so that a server with a long round trip is
 * still reached at its first address.
 */
const ATTEMPT_DELAY_MS = 250

/** Addresses of one name that are tried. */
const MAX_ATTEMPTS = 16

/** Settles like the promise, or rejects when the signal aborts first. The work behind the promise is not stopped. */
export const orAborted = <Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(asError(signal.reason))
    const aborted = (): void => reject(asError(signal.reason))
    signal.addEventListener('abort', aborted, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })

/** Address order of RFC 8305 section 4: families alternate, each in the order of the resolver. */
export const interleave = (found: readonly LookupAddress[]): string[] => {
  const first = found.filter(({ family }) => family === found[0]?.family)
  const second = found.filter(({ family }) => family !== found[0]?.family)
  const turns = Array.from({ length: Math.max(first.length, second.length) }, (_, i) => [first[i], second[i]])
  const addresses = turns.flat().flatMap((entry) => (entry === undefined ? [] : [entry.address]))
  return [...new Set(addresses)].slice(0, MAX_ATTEMPTS)
}

/** One connection attempt of a {@link raceAddresses}. */
export interface Attempt<Connection> {
  readonly connection: Promise<Connection>
  /** Ends the attempt. Called at most once, before or after the promise settles, but never for the winner. */
  cancel(): void
}

/** How {@link raceAddresses} connects. */
export interface RaceOptions<Connection> {
  readonly signal: AbortSignal
  connect(address: string): Attempt<Connection>
  /** Milliseconds between two attempts. @default 250 */
  readonly delay?: number
}

/**
 * Happy Eyeballs, RFC 8305: resolves with the first address that connects, and cancels the other attempts. A failed
 * attempt starts the next one at once. Rejects with the error of the only attempt, an `AggregateError` of all, or the
 * reason of the signal.
 *
 * Node's `autoSelectFamily` ends each attempt but the last after its delay, so that a server more than 250 ms away is
 * never reached at its first address.
 */
export const raceAddresses = <Connection>(
  addresses: readonly string[],
  { signal, connect, delay = ATTEMPT_DELAY_MS }: RaceOptions<Connection>
): Promise<Connection> =>
  new Promise((resolve, reject) => {
    const pending = new Set<Attempt<Connection>>()
    const errors: Error[] = []
    let timer: NodeJS.Timeout | undefined
    let next = 0
    let settled = false

    const settle = (): void => {
      settled = true
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      for (const attempt of pending) attempt.cancel()
    }
    const fail = (error: Error): void => {
      settle()
      reject(error)
    }
    const aborted = (): void => fail(asError(signal.reason))
    const start = (): void => {
      clearTimeout(timer)
      const address = addresses[next] as string
      next += 1
      if (next < addresses.length) timer = setTimeout(start, delay)
      const attempt = connect(address)
      pending.add(attempt)
      attempt.connection.then(
        (connection) => {
          if (settled) return
          pending.delete(attempt)
          settle()
          resolve(connection)
        },
        (error: Error) => {
          pending.delete(attempt)
          if (settled) return
          errors.push(Object.assign(error, { address }))
          if (next < addresses.length) start()
          else if (pending.size === 0)
            fail(errors.length === 1 ? error : new AggregateError(errors, 'no address answered'))
        }
      )
    }

    if (signal.aborted) return fail(asError(signal.reason))
    if (addresses.length === 0) return fail(new Error('the name has no address'))
    signal.addEventListener('abort', aborted, { once: true })
    start()
  })

/** The attempt of a socket that is connecting. */
export const socketAttempt = (socket: Socket): Attempt<Socket> => ({
  connection: new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.once('connect', () => {
      // The caller owns the socket from the next turn on; a rejection after this is ignored.
      socket.removeListener('error', reject)
      resolve(socket)
    })
  }),
  cancel: () => socket.on('error', () => {}).destroy()
})
