import { RystraError, type SessionInfo } from '@rystra/model'
import type { Channel, RuntimeCluster } from '@rystra/plugin'
import { openerOf, peerOf } from './channel-head.js'
import { rpcError } from './error.js'
import type { Link } from './links.js'
import type { RpcEndpoint } from './session/endpoint.js'
import type { ChannelHead } from './session/port.js'
import type { ProgramSession } from './session/session.js'

/** Sessions of a server with clients of the other servers of its cluster. This server opens them, as their clients know another. */
export class RemoteClients {
  readonly #endpoint: RpcEndpoint
  /** By the session of the tunnel. */
  readonly #sessions = new Map<string, ProgramSession>()

  constructor(endpoint: RpcEndpoint) {
    this.#endpoint = endpoint
  }

  /** The session with a client; calls wait until it is open. It ends with its channel. */
  session({ info, channels }: Link, { name }: Pick<RuntimeCluster, 'name'>): ProgramSession {
    const found = this.#sessions.get(info.id)
    if (found !== undefined) return found
    const opener = openerOf(channels, { from: { server: name } })
    const session = this.#endpoint.create(peerOf(info), () => opener, false, { report: () => channels.reportCall })
    this.#sessions.set(info.id, session)
    session.on('close', () => this.#sessions.delete(info.id))
    this.#endpoint.connect(session, opener).catch((error: Error) => {
      session.unavailable(rpcError('rpc.unavailable', error.message, error))
      session.close()
    })
    return session
  }

  /** Takes a stream that a client has opened in such a session. `false`: it is of no such session. */
  accept({ kind, session: id }: ChannelHead, channel: Channel, { id: tunnel }: SessionInfo): boolean {
    const session = this.#sessions.get(tunnel)
    if (kind !== 'stream' || session?.id !== id) return false
    session.acceptStream(channel)
    return true
  }

  /** Refuses a channel of a session of another server that is of no session here. */
  refuse(channel: Channel): void {
    channel.close(new RystraError('channel.refused', { detail: 'a stream of no session' }))
    channel.stream.reset()
  }

  close(): void {
    for (const session of [...this.#sessions.values()]) session.close()
  }
}
