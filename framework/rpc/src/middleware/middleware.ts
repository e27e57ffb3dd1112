import type { RpcError } from '../error.js'
import type { Metadata } from '../frame/metadata.js'
import type { IncomingCall, RpcSession } from '../session/rpc-session.js'

/** One message on its way in or out, as middleware sees it. */
export interface RpcMessage {
  readonly kind: 'request' | 'response' | 'error' | 'event' | 'stream'
  /** Of the call; 0 for an event. */
  readonly id: number
  /** Of the request, event or stream; for a response that of its request. */
  readonly name: string
  readonly metadata: Metadata
  readonly data: unknown
  /** Of kind `error` alone. */
  readonly error?: RpcError
  /** Size of the body on its way in; 0 on its way out, where it is not encoded yet. */
  readonly bytes: number
  /** Of what came in, responses left out. */
  readonly call?: IncomingCall
}

/** The answer of middleware that lets a message vanish. The caller of a request that is dropped hears nothing. */
export const DROP = Symbol('rpc.drop')

// biome-ignore lint/suspicious/noConfusingVoidType: middleware that returns nothing passes the message on
type Verdict = undefined | void | RpcMessage | typeof DROP

/**
 * Sees a message. Nothing: it goes on. A message: that one goes on in its place. {@link DROP}: it is gone. A throw fails
 * it: a request and a stream with the error, a response too; an event is dropped. A promise delays this message alone, so
 * later ones may overtake it.
 */
export type Step = (message: RpcMessage, session: RpcSession) => Verdict | Promise<Verdict>

/** A call that is over. */
export interface CallRecord {
  readonly kind: 'request' | 'event' | 'stream'
  readonly direction: 'in' | 'out'
  readonly name: string
  readonly session: RpcSession
  /** Milliseconds. */
  readonly duration: number
  /** `ok`, or the code of the error. */
  readonly code: string
  /** Of one that came in. */
  readonly call?: IncomingCall
}

/** Sees every message of a session, at either end. */
export interface Middleware {
  /** For the log. */
  readonly name: string
  readonly inbound?: Step
  readonly outbound?: Step
  /** A call is over, however it ended. An observer; a throw is logged. */
  onCall?(record: CallRecord): void
}

/** What is left of a message when all middleware has seen it: nothing when it was dropped. */
type Passed = RpcMessage | undefined

const isPromise = (value: unknown): value is Promise<Verdict> => typeof (value as Promise<Verdict>)?.then === 'function'

/** The steps of one direction. Answers at once when all of them do. */
export const runSteps = (
  steps: readonly Step[],
  message: RpcMessage,
  session: RpcSession,
  from = 0
): Passed | Promise<Passed> => {
  let passing = message
  for (let index = from; index < steps.length; index++) {
    const verdict = (steps[index] as Step)(passing, session)
    if (isPromise(verdict)) {
      const next = index + 1
      return verdict.then((late) =>
        late === DROP ? undefined : runSteps(steps, late === undefined ? passing : (late as RpcMessage), session, next)
      )
    }
    if (verdict === DROP) return undefined
    if (verdict !== undefined) passing = verdict as RpcMessage
  }
  return passing
}
