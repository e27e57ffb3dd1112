import type { MuxerStats } from '@rystra/plugin'
import type { Outgoing } from './outgoing.js'
import type { YamuxStream } from './stream.js'

/** Queues and windows of a session, summed over its streams. */
export const statsOf = (streams: Iterable<YamuxStream>, out: Outgoing): MuxerStats => {
  let { queued } = out
  let blocked = 0
  let window = 0
  for (const { sending, granted } of streams) {
    queued += sending.waiting
    if (sending.waiting > 0 && !sending.ready) blocked += 1
    window += granted
  }
  return { queued, blocked, window }
}
