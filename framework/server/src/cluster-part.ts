import {
  claimRecordOf,
  Cluster,
  type ClusterHost,
  clientKey,
  type Forward,
  type ForwardedChannel,
  isClaimKey,
  isClientKey,
  type MembershipState,
  proxyKey,
  type ProxyRecord,
  type PeerStream,
  type ProbeRequest,
  sharedSession
} from '@rystra/cluster'
import type { RawStream } from '@rystra/bytes'
import type { ResolvedCluster } from '@rystra/config'
import { background, type Address, type Logger, RystraError, type SessionInfo } from '@rystra/model'
import type { ClusterInfo, Details, DirectoryClaim, DirectoryRow, Link, ListenHost } from '@rystra/plugin'
import { type DatagramFlows, refuseStream } from '@rystra/session'
import { randomBytes } from 'node:crypto'
import type { ListedProxy, ServerCluster } from './cluster.js'
import { ClusterClaims } from './cluster-claims.js'
import { proxyId } from './feed.js'
import type { FollowedProxy, MovingProxy } from './follow-client.js'
import { serveForward } from './forwards.js'
import type { MemoryClaims } from './memory-claims.js'
import { ClientMoves } from './moves.js'
import { RemoteSessions } from './remote-sessions.js'
import type { ServerSession } from './server-session.js'
import { Shadows } from './shadows.js'
import type { ServerState } from './state.js'
import { agent } from './version.js'

/** What a {@link ClusterPart} works with. */
export interface ClusterPartParts {
  readonly config: ResolvedCluster
  readonly state: ServerState
  readonly memory: MemoryClaims
  readonly ports: ListenHost
  /** By id. */
  readonly sessions: ReadonlyMap<string, ServerSession>
}

const fenced = (): RystraError => new RystraError('cluster.fenced', { side: 'server' })

/** This server's part in a cluster. */
export class ClusterPart implements ServerCluster, ClusterHost {
  readonly claims: ClusterClaims
  readonly remotes: RemoteSessions
  readonly #state: ServerState
  readonly #sessions: ClusterPartParts['sessions']
  readonly #name: string
  readonly #cluster: Cluster
  readonly #shadows: Shadows
  readonly #moves: ClientMoves<MovingProxy>
  readonly #log: Logger
  /** Ids of sessions of this server, by the key of their client. */
  readonly #ofClient = new Map<string, string>()

  constructor({ config, state, memory, ports, sessions }: ClusterPartParts) {
    const { kernel, clock } = state
    this.#state = state
    this.#sessions = sessions
    this.#name = config.cluster
    this.#log = state.log
    this.#cluster = new Cluster(
      {
        config,
        instance: randomBytes(12).toString('base64url'),
        agent,
        generations: kernel,
        ports: { listenTcp: (options, signal) => ports.listenTcp({ owner: 'server.cluster', ...options }, signal) },
        clock,
        log: this.#log
      },
      kernel.current.registries.directories.get(config.directory),
      this
    )
    this.claims = new ClusterClaims(memory, this.#cluster, () => state.config.takeoverTimeout)
    this.#moves = new ClientMoves((of) => this.#proxiesOf(of), config.lease, clock)
    this.#shadows = new Shadows(state, this.#cluster, (proxy) => this.#moves.published(proxy))
    this.remotes = new RemoteSessions(config.name, state, this.#cluster, () => this.#shadows.proxies())
  }

  get streams(): number {
    return this.#cluster.streams - this.remotes.opened
  }

  get info(): ClusterInfo {
    const { name, state } = this.#cluster
    const members = this.#cluster.members().sort((one, other) => (one.name < other.name ? -1 : 1))
    return { name, cluster: this.#name, state, members, forwarded: this.streams }
  }

  get alternatives(): readonly Address[] | undefined {
    const { alternatives } = this.#cluster
    return alternatives.length === 0 ? undefined : alternatives
  }

  throwIfFenced(): void {
    if (!this.#cluster.valid) throw fenced()
  }

  async start(): Promise<void> {
    await this.#cluster.start()
    await this.#shadows.settled()
  }

  drain(): void {
    this.#cluster.drain()
  }

  async stop(): Promise<void> {
    this.remotes.clear()
    await this.#shadows.clear()
    await this.#cluster.stop()
  }

  renew(): void {
    this.#shadows.renew()
  }

  opened(session: SessionInfo): void {
    this.#ofClient.set(clientKey(session), session.id)
    this.#replace(session).catch((error: unknown) => {
      this.#log.debug({ err: error, client: session.client.id }, 'other sessions of a client were not looked for')
    })
  }

  async #replace(session: SessionInfo): Promise<void> {
    // One process may keep sessions with several servers; another one with its id takes its place.
    const share = session.client.instance
    const value = sharedSession(session)
    const claim = { key: clientKey(session), id: session.id, owner: session.identity.id, share, value }
    const others = [...this.remotes.ofClient(session.client.id)].filter(
      ({ info }) => info.identity.id === claim.owner && info.client.instance !== share
    )
    const grant = await this.#cluster.claim({ ...claim, replace: others.map(({ fence }) => fence) })
    if ('held' in grant) await this.#cluster.claim({ ...claim, replace: grant.held.map(({ fence }) => fence) })
    // It may have ended meanwhile.
    if (!this.#sessions.has(session.id)) this.closed(session)
  }

  closed(session: SessionInfo): void {
    const key = clientKey(session)
    if (this.#ofClient.get(key) === session.id) this.#ofClient.delete(key)
    this.#release(key, session.id)
  }

  async list({ id, spec, session, address, healthy, ports }: ListedProxy): Promise<void> {
    const value: ProxyRecord = { spec, session: sharedSession(session), address, healthy, ports: ports.list }
    await this.#cluster.claim({ key: proxyKey(id), id, owner: session.identity.id, value })
  }

  get followTimeout(): number {
    return this.#moves.followTimeout
  }

  announced(proxy: FollowedProxy): void {
    this.#moves.published(proxy)
  }

  successor(of: FollowedProxy, tried: ReadonlySet<MovingProxy>, ms: number): Promise<MovingProxy | undefined> {
    return this.#moves.successor(of, tried, ms)
  }

  /** Those of the same client and name: at this server, then at others, the newest session first. */
  *#proxiesOf({ session, spec }: FollowedProxy): Iterable<MovingProxy> {
    const own = this.#sessions.get(this.#ofClient.get(clientKey(session)) ?? '')?.proxies.get(spec.name)
    if (own?.announced === true) yield own
    const others = [...this.remotes.ofClient(session.client.id)].filter(
      ({ info }) => info.identity.id === session.identity.id
    )
    for (const { info } of others.sort((one, other) => other.fence - one.fence)) {
      const shadow = this.#shadows.find(proxyId(info, spec.name))
      if (shadow !== undefined) yield shadow
    }
  }

  unlist(id: string): void {
    this.#release(proxyKey(id), id)
  }

  #release(key: string, id: string): void {
    background(this.#cluster.release(key, id), this.#log, 'a row of the directory was not given back')
  }

  onRow(row: DirectoryRow): void {
    try {
      if (this.remotes.put(row)) this.#reviewLimits(row)
      else this.#shadows.put(row)
    } catch (error) {
      this.#log.warn({ err: error, from: row.member }, 'a row of the directory is ignored')
    }
  }

  /** A client that has a session here has one at another server now: its proxies share their limits with that one. */
  #reviewLimits({ key }: DirectoryRow): void {
    const session = this.#sessions.get(this.#ofClient.get(key) ?? '')
    for (const { limits } of session?.proxies.values() ?? []) limits.review()
  }

  onGone(row: DirectoryRow): void {
    this.remotes.remove(row)
    this.#shadows.remove(row)
  }

  onLost(claim: DirectoryClaim): void {
    if (isClientKey(claim.key)) {
      this.#sessions.get(claim.id)?.replaced(new RystraError('session.replaced', { side: 'server' }))
    } else if (isClaimKey(claim.key)) {
      const record = claimRecordOf(claim)
      if (record !== undefined) this.#sessions.get(record.session)?.takeBack(record.proxy, 'taken-over', fenced())
    }
  }

  onState(state: MembershipState): void {
    if (state === 'fenced') {
      this.#log.error('the directory did not answer for too long: nothing is served until it does')
      for (const session of this.#sessions.values()) {
        for (const name of [...session.proxies.keys()]) session.takeBack(name, 'closed', fenced())
      }
      this.remotes.clear()
      background(this.#shadows.clear(), this.#log, 'proxies of other servers were not withdrawn')
    } else if (state === 'up') for (const row of this.#cluster.rows()) this.onRow(row)
  }

  onForward(raw: RawStream, forward: Forward, flows: DatagramFlows | undefined, log: Logger): void {
    const { clock } = this.#state
    const served = serveForward({ raw, forward, flows, log }, this.#sessions.get(forward.session), clock)
    background(served, log, 'a stream of another server was not served')
  }

  onNotice(session: string, proxy: string, notice: Details): void {
    this.#sessions.get(session)?.tell(proxy, notice)
  }

  onChannel(
    raw: RawStream,
    { session: id, end, message, timeout }: ForwardedChannel,
    { member, flows }: PeerStream
  ): void {
    const remote = this.remotes.session(id)
    const session = this.#sessions.get(id)
    if (end === 'client' && session !== undefined) {
      const passed = session.channels.pass(raw, message, flows, timeout)
      background(passed, this.#log, 'a channel of another server was not passed on')
    } else if (end === 'server' && remote?.member === member) remote.channels.accept(raw, message, flows)
    else refuseStream(raw, new RystraError('cluster.not-here', { side: 'server', detail: id }), this.#state.clock)
  }

  async onProbe({ session, ms }: ProbeRequest): Promise<boolean> {
    return (await this.#sessions.get(session)?.probe(ms)) === true
  }

  onRefused(error: RystraError, { peer }: Link): void {
    this.#state.refused({ what: 'session', error, subject: `${peer.address}:${peer.port}`, peer })
  }
}
