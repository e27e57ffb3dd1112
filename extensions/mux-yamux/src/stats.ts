import type { MuxerStats } from '@rystra/plugin'
import type { Outgoing } from './outgoing.js'
import type { YamuxStream } from './stream.js'

/** Queues and windows of a session, summed over its streams. */
export const statsOf = (streams: Iterable<YamuxStream>, out: Outgoing): MuxerStats => {
  let { queued } = out
  let blocked = 0
  let window = 0
  for (const stream of streams) {
    queued += stream.sending.waiting
    if (stream.blocked) blocked += 1
    window += stream.granted
  }
  return { queued, blocked, window }
}
