import { type ChannelTo, type MemberRequests, sessionOf, type SharedLimits } from '@rystra/cluster'
import type { SessionInfo } from '@rystra/model'
import type {
  ChannelOpener,
  Details,
  DirectoryRow,
  MemberRequestHandler,
  ProxyHandle,
  RemoteSession,
  RuntimeCluster,
  SharedLimit,
  SharedRate
} from '@rystra/plugin'
import type { OpenChannel } from '@rystra/protocol'
import { Channels, type OpenOptions, type OutgoingStream } from '@rystra/session'
import type { ServerState } from './state.js'

/** The links to other servers. */
export interface ChannelForwarding {
  readonly limits: SharedLimits
  readonly requests: MemberRequests
  request(member: string, name: string, body: Details): Promise<Details>
  openChannel(
    to: ChannelTo,
    head: (flow: number | undefined) => OpenChannel,
    options?: OpenOptions
  ): Promise<OutgoingStream>
}

/** A session of another server. Most have no channel with this one, ever. */
class Remote implements RemoteSession {
  readonly info: SessionInfo
  readonly member: string
  readonly fence: number
  readonly #make: (remote: Remote) => Channels
  #channels: Channels | undefined

  constructor(info: SessionInfo, { member, fence }: DirectoryRow, make: (remote: Remote) => Channels) {
    this.info = info
    this.member = member
    this.fence = fence
    this.#make = make
  }

  get channels(): Channels {
    this.#channels ??= this.#make(this)
    return this.#channels
  }
}

/** Sessions of other servers, and the channels of them that begin or end at this one. */
export class RemoteSessions implements RuntimeCluster {
  readonly name: string
  readonly #state: ServerState
  readonly #forwarding: ChannelForwarding
  readonly #proxies: () => Iterable<ProxyHandle>
  readonly #byId = new Map<string, Remote>()
  readonly #byClient = new Map<string, Set<Remote>>()
  /** Channels to other servers that are open. */
  #open = 0

  constructor(name: string, state: ServerState, forwarding: ChannelForwarding, proxies: () => Iterable<ProxyHandle>) {
    this.#proxies = proxies
    this.name = name
    this.#state = state
    this.#forwarding = forwarding
  }

  /** Channels that this server has opened: they are streams to other servers, and no visitors. */
  get opened(): number {
    return this.#open
  }

  /** Whether the row is one of a session. Throws a `TypeError` for a record that is malformed. */
  put(row: DirectoryRow): boolean {
    const session = sessionOf(row)
    if (session === undefined) return false
    const info = { ...session, member: row.member }
    this.#drop(row.id)
    const remote = new Remote(info, row, ({ member }) =>
      this.#channels(info, { member, session: info.id, end: 'client' })
    )
    this.#byId.set(info.id, remote)
    const others = this.#byClient.get(info.client.id) ?? new Set()
    this.#byClient.set(info.client.id, others.add(remote))
    return true
  }

  remove({ id, fence }: Pick<DirectoryRow, 'id' | 'fence'>): void {
    if (this.#byId.get(id)?.fence === fence) this.#drop(id)
  }

  clear(): void {
    this.#byId.clear()
    this.#byClient.clear()
  }

  #drop(id: string): void {
    const remote = this.#byId.get(id)
    if (remote === undefined) return
    this.#byId.delete(id)
    const { client } = remote.info
    const others = this.#byClient.get(client.id)
    others?.delete(remote)
    if (others?.size === 0) this.#byClient.delete(client.id)
  }

  proxies(): Iterable<ProxyHandle> {
    return this.#proxies()
  }

  sessions(): Iterable<Remote> {
    return this.#byId.values()
  }

  session(id: string): Remote | undefined {
    return this.#byId.get(id)
  }

  ofClient(id: string): Iterable<Remote> {
    return this.#byClient.get(id) ?? []
  }

  channelsTo(member: string, session: SessionInfo): ChannelOpener {
    return this.#channels(session, { member, session: session.id, end: 'server' })
  }

  request(member: string, name: string, body: Details): Promise<Details> {
    return this.#forwarding.request(member, name, body)
  }

  serve(name: string, handler: MemberRequestHandler): () => void {
    return this.#forwarding.requests.serve(name, handler)
  }

  share(key: string, limit: number, held: () => number): SharedLimit {
    return this.#forwarding.limits.share(key, limit, held)
  }

  shareRate(key: string, limit: number, total: () => number, onAllowance: (perSecond: number) => void): SharedRate {
    return this.#forwarding.limits.shareRate(key, limit, total, onAllowance)
  }

  #channels(info: SessionInfo, to: ChannelTo): Channels {
    const { kernel, clock, log, config } = this.#state
    return new Channels({
      info,
      side: 'server',
      generations: kernel,
      clock,
      log: log.child({ session: info.id, client: info.client.id, identity: info.identity.id, peer: to.member }),
      flows: undefined,
      limit: config.limits.channelsPerSession,
      open: (head, options) => this.#forwarding.openChannel(to, head, options),
      counted: (by) => {
        this.#open += by
      }
    })
  }
}
