import { type RawStream, rawOf } from '@rystra/bytes'
import type { Address, Logger, ProxySpec, SessionInfo, StreamInfo, VisitorInfo } from '@rystra/model'
import { isRefusal, RystraError } from '@rystra/model'
import type { ResolvedServer } from '@rystra/config'
import type {
  Admission,
  Claim,
  Details,
  OpenedStream,
  OpenStreamOptions,
  Pacer,
  ProxyHandle,
  ProxyInfo,
  ProxyKind,
  PublishAddress,
  Published,
  PublishHost,
  Registry,
  RelayOptions,
  TrafficStats,
  UdpPort
} from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { openDuplex, type StreamLifecycle, StreamTable } from '@rystra/session'
import { type Admitting, admitVisitor } from './admission.js'
import { Failures } from './failures.js'
import { FairPace } from './fair-pace.js'
import { proxyId } from './feed.js'
import { groupOf } from './group.js'
import type { Group, ProxyOwner } from './owner.js'
import { proxyStream, type StreamProxy } from './proxy-stream.js'
import { type Admit, MEMBER_TIMEOUT_MS, type ProxyStreamOptions, visitKey } from './visitable.js'
import { type OnVisitor, type PortHolder, PublishPorts } from './publish-ports.js'
import type { ServerState } from './state.js'

/** One published proxy, and what its kind gets to publish it with. */
export class ServerProxy implements PublishHost, ProxyHandle, PortHolder, Admitting, StreamProxy {
  readonly spec: ProxySpec
  readonly log: Logger
  readonly owner: ProxyOwner
  readonly group: Group | undefined
  address = ''
  readonly streams = new StreamTable()
  /** As the health checks of its client say; until they have said something, it is not. */
  healthy: boolean
  readonly failures: Failures
  readonly #state: ServerState
  readonly #kind: ProxyKind
  readonly #gone = new AbortController()
  readonly #ports: PublishPorts
  readonly #claims: string[] = []
  readonly #maxConnections: number
  readonly #pace: FairPace | undefined
  /** Milliseconds without a byte after which a stream is reset, if any. */
  readonly idleTimeout: number | undefined
  #published: Published | undefined
  cancelExpiry: (() => void) | undefined
  /** Whether `published` was reported, so that `unpublished` is to be reported. */
  announced = false

  constructor(spec: ProxySpec, kind: ProxyKind, owner: ProxyOwner, state: ServerState) {
    this.spec = spec
    this.group = groupOf(spec)
    this.healthy = spec['healthCheck'] !== true
    this.owner = owner
    this.failures = new Failures(owner, state)
    this.#kind = kind
    this.#state = state
    this.#ports = new PublishPorts(this, state)
    this.#maxConnections = (spec['maxConnections'] as number | undefined) ?? Number.POSITIVE_INFINITY
    const bandwidth = spec['bandwidth'] as number | undefined
    this.#pace = bandwidth === undefined ? undefined : new FairPace(bandwidth, state.clock)
    this.idleTimeout = spec['idleTimeout'] as number | undefined
    this.log = owner.log.child({ proxy: spec.name })
  }

  get id(): string {
    return proxyId(this.session, this.spec.name)
  }

  get info(): ProxyInfo {
    const { spec, session, address, healthy, announced } = this
    const state = announced ? 'published' : 'publishing'
    return { spec, state, session, ...(announced ? { address } : {}), healthy }
  }

  stats(): TrafficStats {
    return this.streams.stats()
  }

  close(error = new RystraError('proxy.refused', { side: 'server', detail: 'taken back by the server' })): void {
    this.owner.takeBack(this.spec.name, 'closed', error)
  }

  get session(): SessionInfo {
    return this.owner.info
  }

  get signal(): AbortSignal {
    return this.#gone.signal
  }

  get hooks(): PublishHost['hooks'] {
    return this.#state.kernel.current.calls
  }

  /** Whether its limit of streams is reached. */
  get full(): boolean {
    return this.streams.open.size >= this.#maxConnections
  }

  /** Whether a group may choose it. */
  get available(): boolean {
    return this.healthy && !this.full && !this.signal.aborted
  }

  /** Whether a stream of it failed a moment ago, so that others of its group should be asked first. */
  get recentlyFailed(): boolean {
    return this.failures.recent
  }

  /** What slows one more stream down, together with the others. */
  newPacer(): Pacer | undefined {
    return this.#pace?.pacer()
  }

  /** Throws when it was taken back: what is being made for it would have no owner. */
  throwIfClosed(): void {
    if (this.signal.aborted) throw this.signal.reason
  }

  /** What speaks against it after a reload: it is not allowed any more, or would be published differently now. */
  review(kinds: Registry<ProxyKind>, publish: ResolvedServer['publish']): RystraError | undefined {
    const { kind } = this.spec
    if (!kinds.has(kind)) return new RystraError('proxy.unknown-kind', { side: 'server', detail: kind })
    const problem = this.#ports.review(publish)
    if (problem !== undefined) return problem
    return kinds.get(kind) === this.#kind ? undefined : new RystraError('proxy.changed', { side: 'server' })
  }

  /** Makes it reachable. Throws what is to be told to the client; nothing is left behind then. */
  async publish(): Promise<void> {
    try {
      this.#published = await this.#kind.publish(this.spec, this)
      if (this.signal.aborted) {
        // Taken back meanwhile: `withdraw` has been, and did not know of it.
        await this.#closeKind()
        this.throwIfClosed()
      }
      this.address = this.#published.address
    } catch (error) {
      await this.withdraw()
      throw error
    }
  }

  listen(address: PublishAddress, onVisitor: OnVisitor): Promise<Address> {
    return this.#ports.listen(address, (visitor, info) => {
      if (this.signal.aborted) visitor.destroy()
      else onVisitor(visitor, info)
    })
  }

  listenUdp(address: PublishAddress): Promise<UdpPort> {
    return this.#ports.listenUdp(address)
  }

  async claim<Value>(key: string, value: Value, shown = key): Promise<Claim<Value>> {
    const { claims } = this.#state
    const held = await claims.take(key, { proxy: this, value }, { code: 'proxy.claimed', what: shown })
    if (this.signal.aborted) {
      await claims.drop(key, this)
      this.throwIfClosed()
    }
    this.#claims.push(key)
    return held
  }

  async acceptVisits(name: string, admit: Admit): Promise<void> {
    await this.claim(visitKey(this.spec.kind, name), { proxy: this, admit }, name)
  }

  /** A stream of this proxy as it is known to hooks. */
  infoOf(visitor: VisitorInfo, details?: Details): StreamInfo {
    return {
      id: this.#state.nextStreamId(),
      proxy: this.spec,
      visitor,
      session: this.session,
      side: 'server',
      ...(details === undefined ? {} : { details })
    }
  }

  /** Where streams of visitors are listed. */
  get tables(): readonly StreamTable[] {
    return [this.owner.streams, this.streams]
  }

  /** Opens a stream for a visitor: hooks, limits, header. Rejects with what refuses it, after hooks and listeners were told. */
  async open(visitor: VisitorInfo, options: ProxyStreamOptions = {}): Promise<StreamLifecycle> {
    const { full } = this
    const stream = proxyStream(this, this.#state, visitor, options)
    const opening = this.#open(stream, full, options)
    if (options.follows !== undefined) stream.follow(options.follows)
    await opening
    return stream
  }

  /** Whether hooks had a say is the answer. */
  #open(stream: StreamLifecycle, full: boolean, options: ProxyStreamOptions): Promise<boolean> {
    const { carrier = false, datagrams = false, signal, timeout } = options
    const { id, visitor, details } = stream.info
    return stream.open(() => {
      if (!carrier) {
        if (full) throw new RystraError('stream.limit', { side: 'server', detail: `proxy ${this.spec.name}` })
        const pacer = this.newPacer()
        if (pacer !== undefined) stream.pace(pacer)
      }
      const head = { id, proxy: this.spec.name, visitor, details }
      return this.owner.open(head, { datagrams: datagrams && !stream.filtered, signal, timeout })
    }, this.#state.config.limits.streamsPerSession)
  }

  relay(visitor: Duplex, info: VisitorInfo, { details, failover }: RelayOptions = {}): void {
    const raw = rawOf(visitor)
    const next = failover ?? this.#state.failover.get(visitor)
    this.#relay(raw, info, next !== undefined, details).catch(({ code }: RystraError) => {
      if (!raw.closed && (next === undefined || isRefusal(code) || !next())) raw.reset()
    })
  }

  /** The visitor's bytes do not wait for the service, unless another member may have to serve them. */
  async #relay(visitor: RawStream, info: VisitorInfo, waits: boolean, details?: Details): Promise<void> {
    const timeout = waits ? MEMBER_TIMEOUT_MS : undefined
    const stream = await this.open(info, { details, follows: visitor, timeout })
    if (waits) await stream.readyFor(visitor)
    stream.join(visitor)
  }

  openStream(info: VisitorInfo, options: OpenStreamOptions = {}): Promise<OpenedStream> {
    const { full } = this
    const stream = proxyStream(this, this.#state, info, options)
    return openDuplex(stream, () => this.#open(stream, full, options), options.signal)
  }

  admit(info: VisitorInfo): Admission | Promise<Admission> {
    return admitVisitor(info, this, this.#state)
  }

  tell(notice: Details): void {
    this.owner.tell(this.spec.name, notice)
  }

  /** Takes it back; streams that are open go on. @param error thrown by a publish that is still in flight */
  async withdraw(error: RystraError = new RystraError('session.lost')): Promise<void> {
    if (this.signal.aborted) return
    this.#gone.abort(error)
    this.cancelExpiry?.()
    const left = [this.#ports.close(), ...this.#claims.splice(0).map((key) => this.#state.claims.drop(key, this))]
    const failed = (await Promise.allSettled(left)).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    if (failed.length > 0) this.log.warn({ err: failed[0] }, 'a claim was not given back')
    await this.#closeKind()
  }

  async #closeKind(): Promise<void> {
    try {
      await this.#published?.close?.()
    } catch (error) {
      this.log.warn({ err: error }, 'the kind failed to take the proxy back')
    }
  }
}
