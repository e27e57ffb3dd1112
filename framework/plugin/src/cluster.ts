import type { SessionInfo } from '@rystra/model'
import type { ChannelOpener } from './channel.js'
import type { ProxyHandle } from './handles.js'
import type { Details } from './proxy.js'

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

/**
 * Answers a request of another server. Plain values both ways, as JSON has them; a throw is the error that the other server gets, by
 * its code.
 *
 * @param member name of the server, which its certificate proves
 */
export type MemberRequestHandler = (body: Details, member: string) => Promise<Details>

/** A limit that the servers of a cluster keep together, at one of them. */
export interface SharedLimit {
  /**
   * What this server may use of it, read for each use. Never above the limit; 0 before the first {@link ask}. While the directory
   * does not answer it stays as it was.
   */
  readonly allowance: number
  /** One more than the allowance is wanted. Resolves when the directory has answered, or has not in time. Never rejects. */
  ask(): Promise<void>
  /** Gives back what this server has of it. */
  close(): void
}

/** A rate that the servers of a cluster keep together, at one of them. */
export interface SharedRate {
  /** Gives back what this server has of it. */
  close(): void
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
  /**
   * Asks an extension of another server. Rejects with `cluster.not-here` or `connect.*`, with `channel.unknown` where no handler
   * has the name, with `stream.timeout` after 30 seconds, or with what the handler throws. Some 60 KB there, 1 MiB back.
   */
  request(member: string, name: string, body: Details): Promise<Details>
  /** Answers such requests, in place of the handler before. Returns what ends it. */
  serve(name: string, handler: MemberRequestHandler): () => void
  /**
   * Keeps a limit together with all servers that share the same key. A server that is killed gives back what it had with its
   * lease; one that is cut off from the directory goes on with it for `lease` and `grace`, and so long the limit may be exceeded
   * by that.
   *
   * @param held what of it this server uses now; asked often
   */
  share(key: string, limit: number, held: () => number): SharedLimit
  /**
   * The same for a rate per second: each server has a 16th of it at least, and within some seconds what the others leave.
   *
   * @param total all that was ever counted; asked once in a third of a lease
   * @param onAllowance called at once, and when this server may use more or less of it from now on
   */
  shareRate(key: string, limit: number, total: () => number, onAllowance: (perSecond: number) => void): SharedRate
}
