import type { SessionStats, StreamLink } from '@rystra/plugin'

/** What the muxer of a link tells, for the statistics of its session. */
export const muxerStats = (link: StreamLink): Pick<SessionStats, 'muxer'> => {
  const muxer = link.stats?.()
  return muxer === undefined ? {} : { muxer }
}
