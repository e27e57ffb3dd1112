import { RystraError } from '@rystra/model'
import type { OpenChannel } from '@rystra/protocol'
import { MAX_HOPS, throwIfTooFar } from './forward-head.js'

/** Where a channel from server to server ends. */
export interface ChannelTo {
  readonly member: string
  /** Id of the session that it is of. */
  readonly session: string
  /** `client`: passed on to the client of that session. `server`: that client has opened it, for a handler of the server. */
  readonly end: 'client' | 'server'
}

/** A channel that another server has opened. */
export interface ForwardedChannel extends Omit<ChannelTo, 'member'> {
  /** As its handler is to get it. */
  readonly message: OpenChannel
  /** Milliseconds that are left to open it. */
  readonly timeout: number | undefined
}

/** The message at the head of a channel between servers. What only servers need is in its details, and goes no further. */
export const channelMessage = (
  { details, ...message }: OpenChannel,
  { session, end }: Omit<ChannelTo, 'member'>,
  timeout: number | undefined
): OpenChannel => ({
  ...message,
  details: {
    hop: MAX_HOPS,
    session,
    end,
    ...(timeout === undefined ? {} : { timeout }),
    ...(details === undefined ? {} : { details })
  }
})

/** Throws `cluster.loop` or `protocol.malformed`. */
export const channelOf = ({ details = {}, ...message }: OpenChannel): ForwardedChannel => {
  const { hop, session, end, timeout, details: inner } = details
  throwIfTooFar(hop)
  const whole =
    typeof session === 'string' &&
    (end === 'client' || end === 'server') &&
    (timeout === undefined || (typeof timeout === 'number' && timeout > 0)) &&
    (inner === undefined || (typeof inner === 'object' && inner !== null))
  if (!whole)
    throw new RystraError('protocol.malformed', { side: 'client', detail: 'channel: session, end, timeout, details' })
  return {
    session,
    end,
    timeout,
    message: { ...message, ...(inner === undefined ? {} : { details: inner as NonNullable<OpenChannel['details']> }) }
  }
}
