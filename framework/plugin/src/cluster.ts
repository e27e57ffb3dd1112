import type { SessionInfo } from '@rystra/model'
import type { ChannelOpener } from './channel.js'
import type { ProxyHandle } from './handles.js'

/** A session that another server of the cluster has. */
export interface RemoteSession {
  /** `info.member` is that server. */
  readonly info: SessionInfo
  /** Name of that server. */
  readonly member: string
  /**
   * Opens channels to its client, through that server. The hooks of this server are called, and the limit of channels is that
   * of the other one. Channels that the client opens to this server come to the handlers here with the same `info`.
   */
  readonly channels: ChannelOpener
}

/** What a server knows of the other servers of its cluster. */
export interface RuntimeCluster {
  /** Of this server: `server.cluster.name`. */
  readonly name: string
  sessions(): Iterable<RemoteSession>
  /** Proxies that others serve, and that are published here as well. Their `info.session.member` is the server. */
  proxies(): Iterable<ProxyHandle>
  /** By its id, at once. */
  session(id: string): RemoteSession | undefined
  /** By `client.id`, at once: one client may have sessions with several servers, and several identities a client of that id. */
  ofClient(id: string): Iterable<RemoteSession>
  /**
   * Opens channels on behalf of a client of this server whose handler is another server: there its session is the one that
   * opened them. What it opens rejects with `cluster.not-here` where that is no member.
   */
  channelsTo(member: string, session: SessionInfo): ChannelOpener
}
