import type { ResolvedServer } from '@rystra/config'
import type { Kernel } from '@rystra/kernel'
import type { Logger } from '@rystra/model'
import type { AcceptedSockets, SharedPorts } from '@rystra/net'
import type { Clock } from '@rystra/plugin'
import type { TrafficTotals } from '@rystra/session'
import type { Duplex } from 'node:stream'
import type { Claims } from './claims.js'
import type { ServerCluster } from './cluster.js'
import type { Refused } from './events.js'
import type { ServerFeed } from './feed.js'
import type { LastPorts } from './last-ports.js'
import type { Pushes } from './pushes.js'

/** What the parts of one server share. */
export interface ServerState {
  /** Random, new for each start: by it a client knows that two addresses lead here. */
  readonly id: string
  /** Another after a reload. */
  config: ResolvedServer
  readonly kernel: Kernel
  readonly clock: Clock
  readonly log: Logger
  readonly events: ServerFeed
  /** Of all sessions, those that are over included. */
  readonly totals: TrafficTotals
  /** Tells hooks and listeners. */
  readonly refused: (refused: Refused) => void
  /** Unique within this server. */
  readonly nextStreamId: () => string
  /** The other servers, if there are any. */
  cluster: ServerCluster | undefined
  /** The claims of ports, hosts and names. */
  claims: Claims
  /** Connections of visitors and clients, until they are closed. */
  readonly accepted: AcceptedSockets
  /** Among them the listening sockets that this process was started with. */
  readonly ports: Pick<SharedPorts, 'inherited' | 'returning' | 'awaits'>
  /** Proxies that administrators have added for clients. */
  readonly pushes: Pushes
  /** Ports that the server chose, by identity, client and proxy. */
  readonly lastPorts: LastPorts
  /** Visitors of groups: gives one to another member, if there is one, and says whether. */
  readonly failover: WeakMap<Duplex, () => boolean>
}
