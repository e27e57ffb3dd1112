import { RystraError } from '@rystra/model'
import type { Message, OpenChannel } from '@rystra/protocol'

/** What a server wants to know of another, beside streams of visitors: whether the client of a session answers. */
export interface ProbeRequest {
  readonly session: string
  /** Milliseconds that the client has. */
  readonly ms: number
}

/** Channel of a probe. The answer is StreamReady for yes, an Error for no. */
const PROBE = 'cluster-probe'

/** Upper bound of `takeoverTimeout` for a probe. */
const MAX_MS = 60_000

export const probeMessage = (id: string, { session, ms }: ProbeRequest): Message => ({
  type: 'OpenChannel',
  id,
  name: PROBE,
  details: { session, ms }
})

/** Throws `channel.unknown` or `protocol.malformed`. */
export const probeOf = ({ name, details = {} }: OpenChannel): ProbeRequest => {
  if (name !== PROBE) throw new RystraError('channel.unknown', { side: 'client', detail: name })
  const { session, ms } = details
  if (typeof session !== 'string' || typeof ms !== 'number' || !(ms >= 0)) {
    throw new RystraError('protocol.malformed', { side: 'client', detail: PROBE })
  }
  return { session, ms: Math.min(ms, MAX_MS) }
}
