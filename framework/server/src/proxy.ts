import type { Address, Logger, ProxySpec, SessionInfo, StreamInfo, VisitorInfo } from '@rystra/model'
import { RystraError, toRystraError } from '@rystra/model'
import type { ResolvedServer } from '@rystra/config'
import { LazyAbort } from '@rystra/net'
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
import { type RawStream, rawOf } from '@rystra/bytes'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import { type StreamLifecycle, StreamTable } from '@rystra/session'
import { type Admitting, admitVisitor } from './admission.js'
import { Failures } from './failures.js'
import { proxyId } from './feed.js'
import { groupOf } from './group.js'
import type { Group, ProxyOwner, Remote } from './owner.js'
import type { PushOrigin } from './push-session.js'
import { ProxyClaims } from './proxy-claims.js'
import { ProxyLimits } from './proxy-limits.js'
import { type OpeningProxy, openVisitor, openVisitorStream, openWhereClientIs } from './open-visitor.js'
import { relayConnection, relayVisitor } from './relay-visitor.js'
import { type Admit, type ProxyStreamOptions, visitKey } from './visitable.js'
import { type PortHolder, PublishPorts } from './publish-ports.js'
import type { ServerState } from './state.js'

/** What a {@link ServerProxy} is made of; `sent` as its client sent it. */
export type ProxyParts = Pick<ServerProxy, 'spec' | 'sent' | 'owner' | 'pushed'> & {
  readonly remote?: Remote | undefined
  readonly kind: ProxyKind
  readonly before?: ServerProxy | undefined
}

/** One published proxy, and what its kind gets to publish it with. */
export class ServerProxy implements PublishHost, ProxyHandle, PortHolder, Admitting, OpeningProxy {
  readonly spec: ProxySpec
  readonly sent: ProxySpec
  readonly log: Logger
  readonly owner: ProxyOwner
  /** What it was added by, if an administrator has added it. */
  readonly pushed: PushOrigin | undefined
  readonly remote: Remote | undefined
  readonly group: Group | undefined
  address = ''
  /** The name under which other clients visit it, if they may. */
  visitName: string | undefined
  readonly streams: StreamTable
  /** The proxy that it is about to replace, or that has failed to replace it. */
  predecessor: ServerProxy | undefined
  /** As the health checks of its client say; until they have said something, it is not. */
  healthy: boolean
  readonly failures: Failures
  readonly #state: ServerState
  readonly #kind: ProxyKind
  readonly #gone = new LazyAbort()
  readonly ports: PublishPorts
  readonly #claims: ProxyClaims
  readonly limits: ProxyLimits
  /** Milliseconds without a byte after which a stream is reset, if any. */
  readonly idleTimeout: number | undefined
  #published: Published | undefined
  cancelExpiry: (() => void) | undefined
  /** Whether `published` was reported, so that `unpublished` is to be reported. */
  announced = false

  /** @param before It is to replace this one, which serves until then; open streams are counted on */
  constructor({ spec, sent, kind, owner, before, pushed, remote }: ProxyParts, state: ServerState) {
    this.spec = spec
    this.remote = remote
    this.sent = sent
    this.pushed = pushed
    this.predecessor = before
    this.streams = before?.streams ?? new StreamTable()
    this.group = groupOf(spec)
    const checked = spec['healthCheck'] === true
    this.healthy = checked && before?.spec['healthCheck'] === true ? before.healthy : !checked
    this.owner = owner
    this.failures = new Failures(owner, state)
    this.#kind = kind
    this.#state = state
    this.#claims = new ProxyClaims(this, state.claims)
    this.ports = new PublishPorts(this, state, before?.ports)
    this.limits = new ProxyLimits(this, state, before?.limits)
    this.idleTimeout = (spec as { idleTimeout?: number }).idleTimeout
    this.log = owner.log.child({ proxy: spec.name })
  }

  get id(): string {
    return proxyId(this.session, this.spec.name)
  }

  get info(): ProxyInfo {
    const { spec, session, healthy, address } = this
    const where = this.announced ? ({ state: 'published', address } as const) : ({ state: 'publishing' } as const)
    return { spec, session, healthy, ...where, ...this.pushed?.origin }
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

  get available(): boolean {
    return this.healthy && !this.limits.full && !this.#gone.aborted
  }

  get recentlyFailed(): boolean {
    return this.failures.recent
  }

  newPacer(): Pacer | undefined {
    return this.limits.newPacer()
  }

  throwIfClosed(): void {
    if (this.#gone.aborted) throw this.#gone.reason
  }

  /** Whether it is what publishing this would come to. */
  same(spec: ProxySpec, kind: ProxyKind, publish: ResolvedServer['publish']): boolean {
    return kind === this.#kind && isDeepStrictEqual(spec, this.spec) && this.ports.review(publish) === undefined
  }

  /** What speaks against it after a reload: it is not allowed any more, or would be published differently now. */
  review(kinds: Registry<ProxyKind>, publish: ResolvedServer['publish']): RystraError | undefined {
    const { kind } = this.spec
    if (!kinds.has(kind)) return new RystraError('proxy.unknown-kind', { side: 'server', detail: kind })
    const same = kinds.get(kind) === this.#kind
    return this.ports.review(publish) ?? (same ? undefined : new RystraError('proxy.changed', { side: 'server' }))
  }

  /**
   * Makes it reachable; from then on the one before it is not. Throws what is to be told to the client; nothing is left
   * behind then, and the one before serves on.
   */
  async publish(): Promise<void> {
    try {
      this.#published = await this.#kind.publish(this.spec, this)
      if (this.#gone.aborted) {
        // Taken back meanwhile: `withdraw` has been, and did not know of it.
        await this.#closeKind()
        this.throwIfClosed()
      }
      this.address = this.#published.address
    } catch (error) {
      await this.predecessor?.restore(this)
      await this.withdraw()
      throw error
    }
    this.predecessor = undefined
    this.ports.settle()
  }

  /** Takes back what a successor had got before it failed. */
  async restore(successor: ServerProxy): Promise<void> {
    if (this.#gone.aborted) return
    this.predecessor = successor
    try {
      await this.ports.restore()
      await this.#claims.restore()
    } catch (error) {
      this.log.error({ err: error }, 'a proxy could not be restored')
      this.owner.takeBack(this.spec.name, 'reload', toRystraError(error))
    } finally {
      this.predecessor = undefined
    }
  }

  listen(address: PublishAddress, onVisitor?: (visitor: Socket, info: VisitorInfo) => void): Promise<Address> {
    const take = onVisitor ?? this.relay.bind(this)
    const onSocket = (visitor: Socket, info: VisitorInfo): void =>
      this.#gone.aborted ? void visitor.destroy() : take(visitor, info)
    const raw = (visitor: RawStream, info: VisitorInfo): void =>
      this.#gone.aborted ? visitor.reset() : relayConnection(this, this.#state, visitor, info)
    return this.ports.listen(address, onVisitor === undefined ? Object.assign(onSocket, { raw }) : onSocket)
  }

  listenUdp(address: PublishAddress): Promise<UdpPort> {
    return this.ports.listenUdp(address)
  }

  async claim<Value>(key: string, value: Value, shown = key): Promise<Claim<Value>> {
    const held = await this.#claims.take(key, value, shown)
    if (this.#gone.aborted) {
      await this.#claims.drop(key)
      this.throwIfClosed()
    }
    return held
  }

  async acceptVisits(name: string, admit: Admit): Promise<void> {
    await this.claim(visitKey(this.spec.kind, name), { proxy: this, admit }, name)
    this.visitName = name
  }

  /** A stream of this proxy as it is known to hooks. */
  infoOf(visitor: VisitorInfo, details?: Details): StreamInfo {
    this.#state.cluster?.throwIfFenced()
    return {
      id: this.#state.nextStreamId(),
      proxy: this.spec,
      visitor,
      session: this.session,
      side: 'server',
      ...(details === undefined ? {} : { details })
    }
  }

  get streamLimit(): number {
    return this.#state.config.limits.streamsPerSession
  }

  get tables(): readonly StreamTable[] {
    return [this.owner.streams, this.streams]
  }

  /** Opens a stream for a visitor: hooks, limits, header. Rejects with what refuses it, after hooks and listeners were told. */
  open(visitor: VisitorInfo, options: ProxyStreamOptions = {}): Promise<StreamLifecycle> {
    if (this.remote === undefined) return openVisitor(this, this.#state, visitor, options)
    return openWhereClientIs(this, this.#state, options, (proxy) => proxy.openHere(visitor, options))
  }

  async openHere(visitor: VisitorInfo, options: ProxyStreamOptions): Promise<StreamLifecycle> {
    const stream = await openVisitor(this, this.#state, visitor, options)
    await (options.follows === undefined ? stream.ready() : stream.readyFor(options.follows))
    return stream
  }

  relay(visitor: Duplex, info: VisitorInfo, options: RelayOptions = {}): void {
    relayVisitor(this, rawOf(visitor), info, { failover: this.#state.failover.get(visitor), ...options })
  }

  openStream(info: VisitorInfo, options: OpenStreamOptions = {}): Promise<OpenedStream> {
    return openWhereClientIs(this, this.#state, options, (proxy) => proxy.openStreamHere(info, options))
  }

  openStreamHere(info: VisitorInfo, options: OpenStreamOptions): Promise<OpenedStream> {
    return openVisitorStream(this, this.#state, info, options)
  }

  admit(info: VisitorInfo): Admission | Promise<Admission> {
    const allotted = this.limits.ask(true)
    const admit = (): Admission | Promise<Admission> => admitVisitor(info, this, this.#state, this.limits.exhausted)
    return allotted === undefined ? admit() : allotted.then(admit)
  }

  tell(notice: Details): void {
    this.owner.tell(this.spec.name, notice)
  }

  /** Takes it back; streams that are open go on. @param error thrown by a publish that is still in flight */
  async withdraw(error: RystraError = new RystraError('session.lost')): Promise<void> {
    if (this.#gone.aborted) return
    this.#gone.abort(error)
    this.cancelExpiry?.()
    this.limits.close()
    const left = [this.ports.close(), ...this.#claims.dropAll()]
    const failed = (await Promise.allSettled(left)).find((one) => one.status === 'rejected')
    if (failed !== undefined) this.log.warn({ err: failed.reason }, 'a claim was not given back')
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
