import type { SessionStats, StreamLink } from '@rystra/plugin'
import type { DatagramFlows } from './datagram-flows.js'

/** What the muxer of a link and its datagrams tell, for the statistics of their session. */
export const linkStats = ({
  link,
  flows
}: {
  link: StreamLink
  flows: DatagramFlows | undefined
}): Pick<SessionStats, 'muxer' | 'datagrams'> => {
  const muxer = link.stats?.()
  const datagrams = flows?.stats()
  return { ...(muxer === undefined ? {} : { muxer }), ...(datagrams === undefined ? {} : { datagrams }) }
}
