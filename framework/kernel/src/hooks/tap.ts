import { types } from 'node:util'
import {
  type FailurePolicy,
  type HookName,
  hookTable,
  isPlain,
  NORMAL,
  RystraError,
  type StreamInfo,
  type StreamTapOptions
} from '@rystra/plugin'

// biome-ignore lint/suspicious/noExplicitAny: taps of all hooks; the facade has the types
export type TapFunction = (...args: any[]) => unknown

/** How long an asynchronous tap may take unless it says so itself: long enough for a look-up over the network, and half of the handshake's deadline. */
const defaultTimeout = 5000

const knownOptions = ['stage', 'timeout', 'onFailure', 'concerns']
const policies: readonly FailurePolicy[] = ['closed', 'open', 'skip']

/** What was counted of one tap, over all generations it was in. */
export interface TapCounters {
  calls: number
  /** Throws, invalid answers, and timeouts. */
  errors: number
  timeouts: number
  /** How often it was left out, by policy `skip`. */
  skipped: number
  /** Milliseconds, waiting included. */
  totalMs: number
}

/** One tap of one extension, as it was recorded at set-up. Generations replay it. */
export interface Tap {
  readonly hook: HookName
  readonly extension: string
  /** Whether it came by `tapPromise`. */
  readonly promise: boolean
  readonly stage: number
  /** Milliseconds, 0 for no limit. */
  readonly timeout: number
  readonly onFailure: FailurePolicy
  readonly concerns: ((stream: StreamInfo) => boolean) | undefined
  /** Whether a call is for it at all; what is not is not counted. For the taps of authenticators. */
  readonly applies: TapFunction | undefined
  /** The authenticator behind it, if one is. */
  readonly authenticator: string | undefined
  readonly fn: TapFunction
  readonly counters: TapCounters
  /** Left out until then, in the time of the kernel's clock. */
  skipUntil: number
  /** When a failure was last logged, and how many were not since. */
  lastLogged: number
  unlogged: number
}

const refuse = (extension: string, hook: HookName, what: string): never => {
  throw new TypeError(`${extension}, ${hook}: ${what}`)
}

/** Whether calling it gives a promise or an iterator, and not an answer. */
const isNotPlain = (fn: unknown): boolean => types.isAsyncFunction(fn) || types.isGeneratorFunction(fn)

const checkOptions = (extension: string, hook: HookName, options: StreamTapOptions): void => {
  if (!isPlain(options)) refuse(extension, hook, 'the options of a tap are an object')
  for (const key of Object.keys(options)) {
    if (!knownOptions.includes(key))
      refuse(extension, hook, `a tap has no option ${key}; known: ${knownOptions.join(', ')}`)
  }
  const { stage = NORMAL, timeout = 0, onFailure = 'closed', concerns } = options
  if (!Number.isFinite(stage)) refuse(extension, hook, `a stage is a number, not ${String(stage)}`)
  if (!Number.isFinite(timeout) || timeout < 0) {
    refuse(extension, hook, `a timeout is a number of milliseconds, 0 for none, not ${String(timeout)}`)
  }
  if (!policies.includes(onFailure))
    refuse(extension, hook, `onFailure is ${policies.join(', ')}, not ${String(onFailure)}`)
  if (concerns === undefined) return
  if (!hookTable[hook].perStream) refuse(extension, hook, 'only taps of onOpenStream and onData have concerns')
  if (typeof concerns !== 'function' || isNotPlain(concerns))
    refuse(extension, hook, 'concerns is a synchronous function')
}

/**
 * Makes the record of a tap. Throws `extension.async-tap` for an async function in a synchronous tap, and a `TypeError`
 * for invalid options.
 */
export const createTap = (extension: string, hook: HookName, promise: boolean, args: readonly unknown[]): Tap => {
  const [options, fn] = (args.length < 2 ? [{}, args[0]] : args) as [StreamTapOptions, TapFunction]
  if (typeof fn !== 'function') refuse(extension, hook, 'a tap is a function')
  checkOptions(extension, hook, options)
  if (promise && !hookTable[hook].async) {
    throw new RystraError('extension.async-tap', {
      detail: `${extension} gives ${hook} a promise`,
      hint: `${hook} is synchronous: use tap() with a function that returns at once`
    })
  }
  if (!promise && isNotPlain(fn)) {
    throw new RystraError('extension.async-tap', {
      detail: `${extension} in ${hook}`,
      ...(hookTable[hook].async ? {} : { hint: `${hook} is synchronous: make the function synchronous` })
    })
  }
  return tapOf({ hook, extension, promise, fn, ...options })
}

/** A record with its defaults. */
export const tapOf = (
  known: Pick<Tap, 'hook' | 'extension' | 'promise' | 'fn'> &
    Partial<Pick<Tap, 'applies' | 'authenticator'>> &
    StreamTapOptions
): Tap => ({
  hook: known.hook,
  extension: known.extension,
  promise: known.promise,
  stage: known.stage ?? NORMAL,
  timeout: known.timeout ?? defaultTimeout,
  onFailure: known.onFailure ?? 'closed',
  concerns: known.concerns,
  applies: known.applies,
  authenticator: known.authenticator,
  fn: known.fn,
  counters: { calls: 0, errors: 0, timeouts: 0, skipped: 0, totalMs: 0 },
  skipUntil: 0,
  lastLogged: Number.NEGATIVE_INFINITY,
  unlogged: 0
})
