import type { Peer } from '../peer.js'

/** No tunnel at all: what the machine and the load generator can do. */
export const direct: Peer = {
  name: 'direct',
  title: 'visitor to service, nothing between',
  programs: [],
  start: async (service) => ({ address: service, pids: [] })
}
