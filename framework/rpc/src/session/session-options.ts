import type { ChannelOpener as SessionChannels } from '@rystra/plugin'
import type { State } from '../context/state.js'
import type { ClientOptions } from '../links.js'
import type { Router } from '../router/router.js'
import type { RpcPeer } from './peer.js'
import type { ChannelOpener, ChannelTarget } from './port.js'
import type { RpcSession } from './rpc-session.js'
import type { RpcSettings } from './settings.js'

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
