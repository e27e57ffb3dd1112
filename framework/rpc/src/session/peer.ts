import type { Identity, PeerInfo, Side } from '@rystra/model'

/** The program at the other end. */
export interface RpcPeer {
  /** The client's id, or `server`. */
  readonly id: string
  /** Which end it is. */
  readonly side: Side
  /** The name an authenticator gave it. A client does not know the server's. */
  readonly identity?: Identity
  readonly address: PeerInfo
  /** Whether its calls come through a server, which vouches for the identity. @default false */
  readonly relayed?: boolean
  /** Of a server of a cluster that this client has no session with: its name. */
  readonly member?: string
}
