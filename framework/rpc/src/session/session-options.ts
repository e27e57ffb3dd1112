import type { ChannelOpener as SessionChannels } from '@rystra/plugin'
import type { State } from '../context/state.js'
import type { RpcError } from '../error.js'
import type { ClientOptions } from '../links.js'
import type { Router } from '../router/router.js'
import type { RpcPeer } from './peer.js'
import type { ChannelOpener, ChannelTarget } from './port.js'
import type { RpcSession } from './session.js'
import type { RpcSettings } from './settings.js'

/** What a session tells. */
export interface RpcSessionEvents {
  /** There is a connection; also the first time. */
  up: []
  /** The connection is lost; calls wait for the next one within their deadlines. */
  down: [error: Error | undefined]
  /** The other side takes no new calls. */
  goAway: [error: RpcError]
  /** It is over. */
  close: [error: Error | undefined]
}

/** What a session is made of. */
export interface RpcSessionOptions {
  readonly id: string
  readonly remote: RpcPeer
  readonly settings: RpcSettings
  /** What this end handles; the session may add to it. */
  readonly router: Router
  /** State of the whole program. */
  readonly context: State
  /** Whether another connection may follow one that is lost. */
  readonly reconnects: boolean
  /** For streams: gone while there is no connection. */
  readonly opener: () => ChannelOpener | undefined
  /** What the hooks of this end are told of calls with; nothing without taps. */
  readonly report?: () => SessionChannels['reportCall']
  /** Client: sessions with other clients, through the server that this one is with. */
  readonly peers?: (id: string, options: ClientOptions) => RpcSession
  /** A call waits for a connection: there should be one. */
  readonly wanted?: () => void
  /** The client that it is with, when a server is in between. */
  readonly target?: ChannelTarget
}
