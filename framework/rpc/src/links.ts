import type { SessionInfo } from '@rystra/model'
import type { ChannelOpener as SessionChannels, RuntimeCluster } from '@rystra/plugin'
import { rpcError } from './error.js'

/** A session of the tunnel that is up, at this end or at another server of the cluster. */
export interface Link {
  readonly info: SessionInfo
  readonly channels: SessionChannels
  /** The server that has it, if another one. */
  readonly member?: string
}

/** Which of several clients with one id. */
export interface ClientOptions {
  /** Name that an authenticator gave the client. Needed where clients of several identities have the id. @default any */
  readonly identity?: string | undefined
}

/** The sessions of the tunnel that are up at one end. */
export class Links {
  readonly #links = new Map<string, Link>()
  /** Sessions of the other servers. */
  cluster: () => RuntimeCluster | undefined = () => undefined

  add(link: Link): void {
    this.#links.set(link.info.id, link)
  }

  delete(session: string): void {
    this.#links.delete(session)
  }

  /** By the id of its session. */
  get(session: string): Link | undefined {
    return this.#links.get(session) ?? this.cluster()?.session(session)
  }

  /** The newest: on a client the one there is. */
  get last(): Link | undefined {
    return this.newest(() => true)
  }

  /** The newest of those that fit. */
  newest(fits: (link: Link) => boolean): Link | undefined {
    return [...this.#links.values()].filter(fits).at(-1)
  }

  /**
   * The session with a client, by its id or by that of its session: the newest of one identity, of this server if it has one.
   * Throws `rpc.unavailable` where clients of several identities have the id, since any identity may choose any id.
   *
   * @param allowed leaves out clients that the caller may not reach
   */
  find(
    id: string,
    { identity }: ClientOptions = {},
    allowed: (info: SessionInfo) => boolean = () => true
  ): Link | undefined {
    const own = this.get(id)
    const others = this.cluster()?.ofClient(id) ?? []
    const candidates = (own === undefined ? [...others, ...this.#links.values()] : [own]).filter(
      ({ info }) =>
        (own !== undefined || info.client.id === id) &&
        (identity === undefined || info.identity.id === identity) &&
        allowed(info)
    )
    const last = candidates.at(-1)
    if (candidates.some(({ info }) => info.identity.id !== last?.info.identity.id))
      throw rpcError('rpc.unavailable', `several identities have a client ${id}: name the identity`)
    return last
  }
}
