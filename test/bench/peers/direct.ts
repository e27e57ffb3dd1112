import type { Peer } from '../peer.js'

const straight = (name: string): Peer => ({
  name,
  title: 'visitor to service, nothing between',
  programs: [],
  start: async (service) => ({ address: service, pids: [] })
})

/** No tunnel at all: what the machine and the load generator can do. */
export const direct = straight('direct')
export const directWeb = straight('http-direct')
export const directDatagrams = straight('udp-direct')
