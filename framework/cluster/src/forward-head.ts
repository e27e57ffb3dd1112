import { RystraError, type VisitorInfo } from '@rystra/model'
import type { Details } from '@rystra/plugin'
import type { Message, OpenStream } from '@rystra/protocol'
import { openStreamMessage, type StreamHead, visitorIn } from '@rystra/session'

/** How often a stream may go from server to server. */
export const MAX_HOPS = 1

/** A stream that another server passes on to the session that serves it. */
export interface Forward {
  /** Of the stream at the server at which the visitor came in. */
  readonly id: string
  /** Id of the session. */
  readonly session: string
  readonly proxy: string
  /** See {@link specHash}. */
  readonly spec: string
  readonly visitor: VisitorInfo
  readonly details: Details | undefined
  readonly flow: number | undefined
  /** It carries many visitors, which were admitted where they came in. */
  readonly carrier: boolean
  /** Milliseconds that are left to reach the service. */
  readonly timeout: number | undefined
  /** `traceparent` of the trace that it belongs to. */
  readonly trace: string | undefined
}

/** What a forward says beside the stream. */
export type ForwardOf = Pick<Forward, 'session' | 'spec' | 'timeout'>

/** The message at the head of a forwarded stream. What only servers need is in its details, and goes no further. */
export const forwardMessage = (
  { details, carrier = false, ...head }: StreamHead,
  { session, spec, timeout }: ForwardOf,
  flow: number | undefined
): Message => {
  const forward = {
    hop: MAX_HOPS,
    session,
    spec,
    ...(carrier ? { carrier } : {}),
    ...(timeout === undefined ? {} : { timeout }),
    ...(details === undefined ? {} : { details })
  }
  return openStreamMessage({ ...head, details: forward }, flow)
}

const malformed = (detail: string): RystraError => new RystraError('protocol.malformed', { side: 'client', detail })

/** Throws `cluster.loop`. */
export const throwIfTooFar = (hop: unknown): void => {
  if (hop !== MAX_HOPS) throw new RystraError('cluster.loop', { side: 'client', detail: `hop ${JSON.stringify(hop)}` })
}

/** Throws `cluster.loop` or `protocol.malformed`. */
export const forwardOf = ({ id, proxy, visitor, to, flow, trace, details = {} }: OpenStream): Forward => {
  const { hop, session, spec, carrier, timeout, details: inner } = details
  throwIfTooFar(hop)
  if (typeof session !== 'string' || typeof spec !== 'string') throw malformed('forward: session, spec')
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout > 0)) throw malformed('forward: timeout')
  if (inner !== undefined && (typeof inner !== 'object' || inner === null)) throw malformed('forward: details')
  return {
    id,
    session,
    proxy,
    spec,
    visitor: visitorIn({ visitor, to }),
    details: inner as Details | undefined,
    flow,
    carrier: carrier === true,
    timeout,
    trace
  }
}
