import { type Address, RystraError } from '@rystra/model'
import type {
  Details,
  Directory,
  DirectoryChange,
  DirectoryClaim,
  DirectoryGrant,
  DirectoryMember,
  DirectoryRow,
  DirectoryShare,
  Link
} from '@rystra/plugin'
import type { Notice, OpenChannel } from '@rystra/protocol'
import type { OpenOptions, OutgoingStream, StreamHead } from '@rystra/session'
import { channelMessage, type ChannelTo } from './channel-head.js'
import { forwardMessage } from './forward-head.js'
import { MemberRequests, readResponse, requestMessage } from './member-request.js'
import { Membership, type MembershipState } from './membership.js'
import { PeerAcceptor } from './peer-acceptor.js'
import type { PeerAddress, PeerOptions } from './peer-options.js'
import { Peers } from './peers.js'
import { type PeerStreamHost, takePeerStream } from './peer-stream.js'
import { probeMessage } from './probe.js'
import { addressOf, publicOf } from './records.js'
import { Replica } from './replica.js'
import { SharedLimits } from './shared-limits.js'

/** What a server does for its cluster. */
export interface ClusterHost extends PeerStreamHost {
  /** Another server has a row, or has it no more. A throw is logged. */
  onRow(row: DirectoryRow): void
  onGone(row: DirectoryRow): void
  /** A row of this server is held by another now. */
  onLost(claim: DirectoryClaim): void
  onState(state: MembershipState): void
  /** A notice about a proxy of a session, see `Notice` of the protocol. */
  onNotice(session: string, proxy: string, notice: Details): void
  onRefused(error: RystraError, link: Link): void
}

/** Which session of which server a stream is for. */
export interface ForwardTo {
  readonly member: string
  readonly session: string
  /** See `specHash`. */
  readonly spec: string
}

/** What is known of a server of the cluster. */
export interface ClusterMember {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Whether it is this one. */
  readonly self: boolean
}

const starting = (): Promise<never> =>
  Promise.reject(new RystraError('cluster.unavailable', { side: 'server', detail: 'it is starting' }))

/** This server among others: its lease and its rows, what the others have, and the links to them. */
export class Cluster {
  readonly name: string
  /** Limits of all servers together. */
  readonly limits: SharedLimits
  /** Handlers for what other servers ask of extensions. */
  readonly requests = new MemberRequests()
  readonly #options: PeerOptions
  readonly #host: ClusterHost
  readonly #directory: Directory
  readonly #peers: Peers
  readonly #acceptor: PeerAcceptor
  readonly #replica: Replica
  #membership: Membership | undefined
  #sent = 0

  constructor(options: PeerOptions, directory: Directory, host: ClusterHost) {
    const { config, clock } = options
    this.name = config.name
    this.#options = options
    this.#host = host
    this.#directory = directory
    this.#peers = new Peers(options)
    this.limits = new SharedLimits({ allot: (share) => this.#allot(share), log: options.log })
    this.#acceptor = new PeerAcceptor(options, {
      onStream: (stream) => takePeerStream(stream, host, this.requests, clock),
      onNotice: (message) => this.#notice(message),
      onRefused: (error, link) => host.onRefused(error, link)
    })
    this.#replica = new Replica(
      {
        onRow: (row) => this.#isOwn(row) || host.onRow(row),
        onGone: (row) => this.#isOwn(row) || host.onGone(row),
        onMember: () => {},
        onMemberGone: (member) => this.#forget(member)
      },
      clock,
      config.lease,
      () => this.state !== 'up'
    )
  }

  get state(): MembershipState {
    return this.#membership?.state ?? 'joining'
  }

  /** See {@link Membership.valid}. */
  get valid(): boolean {
    return this.#membership?.valid ?? true
  }

  /** Streams of visitors of this server that others serve. */
  get streams(): number {
    return this.#peers.streams
  }

  /** Rows of other servers. */
  *rows(): Iterable<DirectoryRow> {
    for (const row of this.#replica.rows) if (!this.#isOwn(row)) yield row
  }

  /** A row of another server. */
  row(key: string, id: string): DirectoryRow | undefined {
    const row = this.#replica.row(key, id)
    return row === undefined || this.#isOwn(row) ? undefined : row
  }

  /** The present members, as far as they say where they are. */
  members(): ClusterMember[] {
    return [...this.#replica.members.values()].flatMap((member) => {
      const address = addressOf(member)
      return address === undefined ? [] : [{ ...address, self: member.instance === this.#options.instance }]
    })
  }

  /** Where clients reach the other members, as far as they say so. */
  get alternatives(): Address[] {
    const { instance } = this.#options
    return [...this.#replica.members.values()].flatMap((member) =>
      member.instance === instance ? [] : (publicOf(member) ?? [])
    )
  }

  /** Listens, and joins as soon as the directory answers. Rejects with `listen.*` or `tls.files`. */
  async start(): Promise<void> {
    const { config, instance, clock, log } = this.#options
    const { address } = await this.#acceptor.listen()
    const { name, cluster, lease, grace } = config
    log.info(address, 'listening for other servers of the cluster')
    const value = { host: config.advertise ?? address.host, port: address.port, public: config.public }
    const session = this.#directory.open({ cluster, name, instance, value, lease, grace, clock, log })
    this.#membership = new Membership({
      session,
      watcher: {
        snapshot: (snapshot) => this.#replica.snapshot(snapshot),
        change: (change) => this.#changed(change)
      },
      lease,
      grace,
      clock,
      log,
      onLost: (claim) => this.#host.onLost(claim),
      onState: (state) => {
        if (state === 'up') this.#replica.back()
        this.#host.onState(state)
      },
      onBeat: (again) => this.limits.beat(again)
    })
    await this.#membership.start()
  }

  #changed(change: DirectoryChange): void {
    this.#replica.change(change)
    if (change.type === 'released') this.#membership?.released(change)
  }

  /** Accepts no more links of other servers; those that are up go on. */
  drain(): void {
    this.#acceptor.drain()
  }

  async stop(): Promise<void> {
    this.#replica.stop()
    await this.#membership?.stop()
    this.#peers.close()
    this.#acceptor.close()
  }

  /** Rejects with `cluster.unavailable`. */
  claim(claim: DirectoryClaim): Promise<DirectoryGrant> {
    return this.#membership?.claim(claim) ?? starting()
  }

  #allot(share: DirectoryShare): Promise<number> {
    return this.#membership?.allot(share) ?? starting()
  }

  /** Never rejects. */
  async release(key: string, id: string): Promise<void> {
    await this.#membership?.release(key, id)
  }

  /** Opens a stream to a session of another server. Rejects with `cluster.not-here` when that is not a member any more. */
  async open(to: ForwardTo, head: StreamHead, options: OpenOptions = {}): Promise<OutgoingStream> {
    const { timeout } = options
    return this.#peers.open(
      this.#addressOf(to.member),
      (flow) => forwardMessage(head, { ...to, timeout }, flow),
      options
    )
  }

  /** Opens a channel of a session, see {@link ChannelTo}. Rejects as {@link open} does. */
  async openChannel(
    { member, ...to }: ChannelTo,
    head: (flow: number | undefined) => OpenChannel,
    options: OpenOptions = {}
  ): Promise<OutgoingStream> {
    const { timeout } = options
    return this.#peers.open(this.#addressOf(member), (flow) => channelMessage(head(flow), to, timeout), options)
  }

  /** Has another server pass a notice about a proxy on to the client of a session, if there is a link to it. */
  tell({ member, session }: Pick<ForwardTo, 'member' | 'session'>, proxy: string, notice: Details): void {
    const to = this.#findAddress(member)
    if (to !== undefined) this.#peers.tell(to, { type: 'Notice', proxy, notice: { session, notice } })
  }

  #notice({ proxy, notice: { session, notice } }: Notice): void {
    const whole = typeof session === 'string' && typeof notice === 'object' && notice !== null
    if (whole) this.#host.onNotice(session, proxy, notice as Details)
  }

  /** Whether the client of a session of another server answers within `ms` milliseconds. */
  async probe(member: string, session: string, ms: number): Promise<boolean> {
    try {
      const stream = await this.#peers.open(
        this.#addressOf(member),
        () => probeMessage(this.#nextId(), { session, ms }),
        {
          timeout: ms
        }
      )
      try {
        await stream.ready()
        return true
      } finally {
        stream.reset()
      }
    } catch (error) {
      this.#options.log.debug({ err: error, peer: member, session }, 'a client of another server did not answer')
      return false
    }
  }

  /** See `RuntimeCluster.request`. */
  async request(member: string, name: string, body: Details): Promise<Details> {
    const address = this.#addressOf(member)
    const stream = await this.#peers.open(address, () => requestMessage(this.#nextId(), name, body))
    await stream.ready()
    return readResponse(stream)
  }

  /** Of a stream that no visitor has opened. */
  #nextId(): string {
    this.#sent += 1
    return `p.${this.#sent.toString(36)}`
  }

  #findAddress(name: string): PeerAddress | undefined {
    const member = this.#replica.members.get(name)
    return member === undefined ? undefined : addressOf(member)
  }

  #addressOf(name: string): PeerAddress {
    const address = this.#findAddress(name)
    if (address !== undefined) return address
    throw new RystraError('cluster.not-here', { side: 'server', detail: `${name} is no member with an address` })
  }

  #isOwn({ instance }: DirectoryRow): boolean {
    return instance === this.#options.instance
  }

  #forget(member: DirectoryMember): void {
    this.#options.log.info({ peer: member.name }, 'a server has left the cluster')
    const address = addressOf(member)
    if (address !== undefined) this.#peers.forget(address)
  }
}
