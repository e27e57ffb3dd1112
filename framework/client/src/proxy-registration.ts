import { type ProxySpec, type RystraError, toRystraError } from '@rystra/model'
import type { ProxyHandle, ProxyInfo, TrafficStats } from '@rystra/plugin'
import { Backoff, StreamTable } from '@rystra/session'
import { isDeepStrictEqual } from 'node:util'
import type { PublishedHere } from './events.js'
import { publicAddress } from './public-address.js'
import { type Change, expiryOf, idle, type Origin, originInfo, type Standing, states } from './registration-standing.js'
import type { RegistrySession } from './registry-session.js'
import { portOf, sentSpec } from './sent-spec.js'
import { ServiceHealth } from './service-health.js'
import type { ClientState, ServedProxy } from './state.js'
import type { StreamHandler } from './stream-handler.js'

/** One proxy that this client wants published, over all sessions. */
export class ProxyRegistration implements ProxyHandle, ServedProxy {
  readonly streams = new StreamTable()
  /** Resolves when what was asked last is answered, one way or the other. */
  answered: Promise<void> = Promise.resolve()
  /** Why it, or a change of it, was refused last; absent once that is published. */
  error: RystraError | undefined
  readonly #state: ClientState
  readonly #forget: () => void
  readonly #backoff = new Backoff({ min: 1000, max: 30_000 })
  readonly #health: ServiceHealth
  #spec: ProxySpec
  #origin: Origin
  #expiresAt: number | undefined
  #standing: Standing = idle
  #change: Change | undefined
  /** The port that the server chose: another server, or one that was restarted, does not know it. */
  #lastPort: number | undefined

  /** @param forget takes it off the list */
  constructor(spec: ProxySpec, origin: Origin, state: ClientState, forget: () => void) {
    this.#spec = spec
    this.#origin = origin
    this.#state = state
    this.#forget = forget
    this.#health = new ServiceHealth(state)
    this.#expiresAt = expiryOf(spec, origin, state.clock.now())
  }

  // What is known of it

  /** What is in force; see {@link change}. */
  get spec(): ProxySpec {
    return this.#spec
  }

  get origin(): Origin {
    return this.#origin
  }

  get published(): PublishedHere | undefined {
    return this.#standing.at === 'published' ? this.#standing.proxy : undefined
  }

  /** Whether a registration is in flight, whose answer supersedes what came before. */
  get requested(): boolean {
    return this.#standing.at === 'requested' || (this.#change !== undefined && this.#change.cancel === undefined)
  }

  /** Whether the server has added it. */
  get pushed(): boolean {
    return this.#origin.pushed !== undefined
  }

  get handler(): StreamHandler | undefined {
    return this.#origin.handler
  }

  /** To be registered before others: a free port must not be one that is named. */
  get hasFixedPort(): boolean {
    const { port } = this.#spec
    return typeof port === 'number' && port !== 0
  }

  /** To have the same again: it expires when it would have. */
  get again(): Origin {
    return { ...this.#origin, expiresAt: this.#expiresAt }
  }

  /** Unique within this client. */
  get id(): string {
    return this.#spec.name
  }

  get info(): ProxyInfo {
    const { spec, error } = this
    const standing = this.#standing
    return {
      spec,
      state: states[standing.at],
      ...('session' in standing ? { session: standing.session.info } : {}),
      ...(standing.at === 'published' ? { address: standing.proxy.address } : {}),
      healthy: this.#health.up,
      ...(error === undefined ? {} : { error }),
      ...originInfo(this.#origin)
    }
  }

  /** Whether it is this, or is about to be. */
  wants(spec: ProxySpec): boolean {
    return isDeepStrictEqual(this.#change?.spec ?? this.#spec, spec)
  }

  stats(): TrafficStats {
    return this.streams.stats()
  }

  close(error?: RystraError): void {
    this.remove(error)
    this.#forget()
  }

  // What happens

  ask(session: RegistrySession): void {
    const standing: Standing = { at: 'requested', session }
    this.#standing = standing
    this.answered = this.#register(session, () => this.#standing === standing)
  }

  async #register(session: RegistrySession, isLast: () => boolean): Promise<void> {
    try {
      const sent = sentSpec(this.#spec, this.#expiresAt, this.#state)
      const address = await session.register(sent, { lastPort: this.#lastPort, push: this.#origin.pushed?.request })
      if (isLast()) this.#reachable(session, address, false)
    } catch (cause) {
      if (isLast()) this.#refused(toRystraError(cause), session)
    }
  }

  #reachable(session: RegistrySession, address: string, changed: boolean): void {
    const { log, events, config } = this.#state
    const { name, kind } = this.#spec
    this.error = undefined
    this.#backoff.reset()
    if (!this.hasFixedPort) this.#lastPort = portOf(address)
    const shown = publicAddress(address, config.connect.host ?? session.info.peer.address)
    const proxy = { name, kind, address: shown, spec: this.#spec, ...(changed ? { changed } : {}) }
    this.#standing = { at: 'published', session, proxy }
    log.info({ proxy: name, kind, address: shown, ...(changed ? { changed } : {}) }, 'published')
    events.emit('published', proxy)
    this.#health.watch(this.#spec, this.handler, session)
  }

  /** The server has published it again under another address, after a reload. */
  moved(address: string): void {
    if (this.#standing.at === 'published') this.#reachable(this.#standing.session, address, true)
  }

  /** Whether {@link change} can make it this. */
  mayBecome({ kind }: ProxySpec): boolean {
    return this.#standing.at === 'published' && kind === this.#spec.kind
  }

  /**
   * Has the server put another spec in its place, without a gap; what the server does not see is changed at once. When it
   * is refused, everything stays as it was, and {@link error} says why.
   */
  change(spec: ProxySpec, origin: Origin): void {
    if (this.#standing.at !== 'published') return
    const { session, proxy } = this.#standing
    this.#change?.cancel?.()
    const change: Change = { spec, origin, cancel: undefined }
    this.#change = change
    this.answered = this.#replace(session, change, proxy.address)
  }

  async #replace(session: RegistrySession, change: Change, present: string): Promise<void> {
    const isLast = (): boolean => this.#change === change
    const { spec, origin } = change
    const expiresAt = expiryOf(spec, origin, this.#state.clock.now())
    try {
      const sent = sentSpec(spec, expiresAt, this.#state)
      const before = sentSpec(this.#spec, this.#expiresAt, this.#state)
      const address = isDeepStrictEqual(sent, before)
        ? present
        : await session.register(sent, { lastPort: this.#lastPort, replace: true })
      if (!isLast()) return
      this.#adopt(change, expiresAt)
      this.#reachable(session, address, true)
    } catch (cause) {
      if (!isLast()) return
      const error = toRystraError(cause)
      if (error.code === 'proxy.name-taken' && error.side === 'server') {
        // A server that cannot replace: with a gap, then.
        session.unregister(spec.name)
        this.#adopt(change, expiresAt)
        this.ask(session)
        return this.answered
      }
      this.#unchanged(change, error, session)
    }
  }

  #adopt({ spec, origin }: Change, expiresAt: number | undefined): void {
    this.#change = undefined
    this.#spec = spec
    this.#origin = origin
    this.#expiresAt = expiresAt
  }

  /** Tells of a change that was refused, and asks again later when that may help. */
  #unchanged(change: Change, error: RystraError, session: RegistrySession): void {
    const retryIn = this.#tell(error, session, 'a change of a proxy was refused')
    if (retryIn === undefined) {
      this.#change = undefined
      return
    }
    change.cancel = this.#state.clock.after(retryIn, () => this.change(change.spec, change.origin))
  }

  /** @returns milliseconds until it is asked again, if it is */
  #tell(error: RystraError, session: RegistrySession, what: string): number | undefined {
    const { log, refused } = this.#state
    const { name } = this.#spec
    // The server asks again for what it has added.
    const again = error.retryable && !this.pushed ? { retryIn: this.#backoff.next() } : {}
    this.error = error
    log.warn({ err: error, proxy: name, ...again }, what)
    refused({ what: 'proxy', name, error, ...again }, { subject: name, proxy: this.#spec, session: session.info })
    return again.retryIn
  }

  /** Tells of a refusal, and asks again later when that may help. */
  #refused(error: RystraError, session: RegistrySession): void {
    this.#standing = { at: 'refused' }
    if (error.code === 'proxy.expired') this.#forget()
    const retryIn = this.#tell(error, session, 'a proxy was refused')
    if (retryIn === undefined) return
    this.#standing = { at: 'waiting', cancel: this.#state.clock.after(retryIn, () => this.ask(session)) }
  }

  /** The server took it back. A server that repeats itself changes nothing. */
  takenBack(error: RystraError | undefined): void {
    if (this.#standing.at !== 'published') return
    const { session } = this.#standing
    this.#settleChange()
    this.#unpublish(error)
    if (this.pushed) this.#forget()
    else if (error?.retryable === true) this.#refused(error, session)
    else if (error?.code === 'proxy.expired') this.#forget()
  }

  #unpublish(error: RystraError | undefined): void {
    if (this.#standing.at !== 'published') return
    const { proxy } = this.#standing
    this.#standing = idle
    this.#health.stop()
    this.#state.log.info({ proxy: proxy.name, ...(error === undefined ? {} : { err: error }) }, 'no longer published')
    this.#state.events.emit('unpublished', proxy, error)
  }

  /** The session is gone: the next is asked for what is wanted, also where this one had not answered. */
  suspend(): void {
    if (this.#standing.at === 'waiting') this.#standing.cancel()
    this.#settleChange()
    this.#health.stop()
    this.#standing = idle
  }

  #settleChange(): void {
    const change = this.#change
    change?.cancel?.()
    if (change !== undefined) this.#adopt(change, expiryOf(change.spec, change.origin, this.#state.clock.now()))
  }

  /** It is not wanted any more. */
  remove(error?: RystraError): void {
    const before = this.#standing
    if (before.at === 'waiting') before.cancel()
    this.#change?.cancel?.()
    this.#change = undefined
    if (before.at === 'requested' || before.at === 'published') before.session.unregister(this.#spec.name)
    this.#unpublish(error)
    this.#standing = { at: 'removed' }
  }
}
