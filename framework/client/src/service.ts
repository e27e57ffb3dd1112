import { type Endpoint, localForms, parseEndpoint, type UnixEndpoint } from '@rystra/address'
import { resetAtExit } from '@rystra/bytes'
import net from 'node:net'
import { RystraError } from '@rystra/model'

/** Tries before the visitor gets an error: a service that restarts, or is slow to start, gets a second chance. */
const TRIES = 3

/** Milliseconds before the second try; doubles for each one after. */
const FIRST_DELAY_MS = 200

/** Milliseconds one try may take. A service is near: who does not answer by then is not there. */
export const CONNECT_TIMEOUT_MS = 5000

/** Where a service is. Throws `proxy.invalid`. */
export const parseService = (local: string): Endpoint | UnixEndpoint =>
  parseEndpoint(local, localForms, { name: 'local', code: 'proxy.invalid', side: 'client' })

/** Tells that the connection is not wanted any more; an `AbortSignal` would cost more than the rest of a connect. */
export interface Interest {
  readonly gone: boolean
  onGone: (() => void) | undefined
}

export const visitorGone = (): RystraError =>
  new RystraError('stream.reset', { side: 'server', detail: 'the visitor is gone' })

/** Both addresses of this machine, whatever its resolver knows: development servers listen on either. */
const loopback: net.LookupFunction = (_host, _options, done) =>
  done(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 }
  ])

/** Services whose address was parsed: each visitor comes through here. */
const MAX_PARSED = 1024
const parsed = new Map<string, net.NetConnectOpts>()

/** How a service is connected to. */
export const serviceOptions = (local: string): net.NetConnectOpts => {
  const known = parsed.get(local)
  if (known !== undefined) return known
  const options = { ...connectOptions(parseService(local)), allowHalfOpen: true, noDelay: true }
  if (parsed.size >= MAX_PARSED) parsed.clear()
  parsed.set(local, options)
  return options
}

/** How a service is connected to, for `net.connect`. */
export const connectOptions = (address: Endpoint | UnixEndpoint): net.NetConnectOpts =>
  ({
    ...address,
    autoSelectFamily: true,
    ...('host' in address && address.host === 'localhost' ? { lookup: loopback } : {})
  }) as net.NetConnectOpts

/** One for all services. */
const ignore = (): void => {}

const connectOnce = (options: net.NetConnectOpts, interest: Interest): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ ...options })
    const fail = (error: Error): void => {
      clearTimeout(timer)
      interest.onGone = undefined
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(() => fail(new Error('no answer')), CONNECT_TIMEOUT_MS)
    interest.onGone = () => {
      interest.onGone = undefined
      // A service that has accepted it already sees a reset: an end would say that the visitor had nothing to send. The
      // timer goes on, for one that has not.
      if ('path' in options) socket.destroy()
      else socket.resetAndDestroy()
      reject(visitorGone())
    }
    socket.on('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      interest.onGone = undefined
      socket.removeListener('error', fail)
      // A reset before the relay begins must not end the process.
      socket.on('error', ignore)
      resetAtExit(socket)
      resolve(socket)
    })
  })

const pause = (ms: number, interest: Interest): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      interest.onGone = undefined
      resolve()
    }
    const timer = setTimeout(done, ms)
    interest.onGone = done
  })

/** Out of descriptors: no fault of the service, and not better in a moment. */
const isExhausted = (error: unknown): boolean =>
  ['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '')

/**
 * Connects to a service, with a few tries. Rejects with `stream.service-unreachable`, or with `stream.reset` when the
 * connection is not wanted any more.
 */
export const connectService = async (local: string, proxy: string, interest: Interest): Promise<net.Socket> => {
  const options = serviceOptions(local)
  let cause: unknown
  for (let tried = 0, delay = FIRST_DELAY_MS; tried < TRIES && !interest.gone; tried += 1, delay *= 2) {
    if (tried > 0) await pause(delay, interest)
    if (interest.gone) break
    try {
      return await connectOnce(options, interest)
    } catch (error) {
      if (isExhausted(error))
        throw new RystraError('stream.limit', {
          side: 'client',
          detail: 'limit of open files: raise "ulimit -n"',
          cause: error
        })
      cause = error
    }
  }
  if (interest.gone) throw visitorGone()
  const { code, message } = cause as NodeJS.ErrnoException
  // Where it was tried is for the log of this side: the server has no need to know this network.
  throw new RystraError('stream.service-unreachable', {
    side: 'client',
    detail: `${proxy} (${code ?? message})`,
    cause
  })
}
