/** All visitors, as a process of its own. */
import type { Address } from '../address.js'
import { Bulk, type Direction } from './bulk.js'
import { measureConnections } from './connections.js'
import { Held } from './held.js'
import { serve } from './remote.js'
import { measureTrips } from './trips.js'

let bulk = new Bulk()
const held = new Held()

serve({
  bulk: async (task: { address: Address; direction: Direction; streams: number }) => {
    bulk = new Bulk()
    await bulk.start(task.address, task.direction, task.streams)
  },
  count: () => bulk.count,
  stop: () => bulk.stop(),
  trips: ({ address, trips }: { address: Address; trips: number }) => measureTrips(address, trips),
  connections: (task: { address: Address; milliseconds: number; count?: number }) =>
    measureConnections(task.address, task.milliseconds, task.count),
  hold: ({ address, count }: { address: Address; count: number }) => held.open(address, count),
  lost: () => held.lost,
  release: () => held.release()
})
