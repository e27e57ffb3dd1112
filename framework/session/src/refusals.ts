import { RystraError, type StreamInfo } from '@rystra/model'
import type { CloseReason, Deny } from '@rystra/plugin'

/** How a stream ended that ended with this error. */
export const reasonOf = (error: RystraError): CloseReason => {
  if (error.code === 'stream.reset' || error.code === 'session.lost' || error.code === 'mux.closed') return 'reset'
  return error.code.startsWith('hook.') ? 'error' : 'refused'
}

/** The refusal that a deny of onOpenStream is: one that will not last is a limit, one that is hidden is no place at all. */
export const refusedBy = ({ deny, retryAfter, hidden, code }: Deny, side: 'server' | 'client'): RystraError => {
  if (hidden === true) return new RystraError('stream.no-visits', { side, detail: deny })
  const refused = code ?? (retryAfter === undefined ? 'stream.refused' : 'stream.limit')
  return new RystraError(refused, { side, detail: deny })
}

/** Whether a stream that ended so was refused, by a hook that failed for example. */
export const isRefusal = (reason: CloseReason): boolean => reason === 'refused' || reason === 'error'

/** The client has reached its limit of streams, open or waiting for hooks. */
export const limitReached = ({ side, session }: StreamInfo): RystraError =>
  new RystraError('stream.limit', { side, detail: `client ${session.client.id}` })
