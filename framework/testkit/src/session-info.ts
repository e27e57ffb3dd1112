import type { SessionInfo } from '@rystra/plugin'

/** A session as hooks and kinds see it. */
export const sessionInfo = (change: Partial<SessionInfo> = {}): SessionInfo => ({
  id: 's1',
  identity: { id: 'home' },
  client: { id: 'nas', instance: 'i1', agent: 'rystra/0.1.0' },
  peer: { address: '203.0.113.9', port: 4711 },
  transport: 'memory',
  muxer: 'memory',
  since: 0,
  ...change
})
