import { type ProxySpec, type RystraError, toRystraError } from '@rystra/model'
import type { ProxyHandle, ProxyInfo, TrafficStats } from '@rystra/plugin'
import { StreamTable } from '@rystra/session'
import { isDeepStrictEqual } from 'node:util'
import type { PublishedHere } from './events.js'
import { type Change, expiryOf, type Origin, originInfo, precedence, states } from './registration-standing.js'
import type { RegistrySession } from './registry-session.js'
import { sentSpec } from './sent-spec.js'
import { ServiceHealth } from './service-health.js'
import { type RegisteredProxy, SessionRegistration } from './session-registration.js'
import type { ClientState, ServedProxy } from './state.js'
import type { StreamHandler } from './stream-handler.js'

/** One proxy that this client wants published, on every session. */
export class ProxyRegistration implements ProxyHandle, ServedProxy, RegisteredProxy {
  readonly streams = new StreamTable()
  /** Why it, or a change of it, was refused last; absent once that is published. */
  error: RystraError | undefined
  lastPort: number | undefined
  readonly #state: ClientState
  readonly #forget: () => void
  readonly #health: ServiceHealth
  readonly #on = new Map<RegistrySession, SessionRegistration>()
  #spec: ProxySpec
  #origin: Origin
  #expiresAt: number | undefined
  #change: Change | undefined
  #changing: Promise<void> = Promise.resolve()

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

  /** On each session that has it. */
  get published(): readonly PublishedHere[] {
    return [...this.#on.values()].flatMap(({ published }) => published ?? [])
  }

  /** Whether the server has added it. */
  get pushed(): boolean {
    return this.#origin.pushed !== undefined
  }

  /** Whether a session is to have it. */
  isFor(session: RegistrySession): boolean {
    return this.#origin.pushed === undefined || this.#origin.pushed.session === session
  }

  get push(): number | undefined {
    return this.#origin.pushed?.request
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
    const { spec, error, published } = this
    const [first] = [...this.#on.values()].toSorted((a, b) => precedence.indexOf(a.at) - precedence.indexOf(b.at))
    const at = first?.at ?? 'idle'
    return {
      spec,
      state: states[at],
      ...(first !== undefined && (at === 'requested' || at === 'published') ? { session: first.session.info } : {}),
      ...(first?.published === undefined ? {} : { address: first.published.address }),
      ...(published.length > 1 ? { published: published.map(({ session, address }) => ({ session, address })) } : {}),
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

  /** Resolves when what was asked last is answered by every session, one way or the other. */
  async answered(): Promise<void> {
    await Promise.all([this.#changing, ...[...this.#on.values()].map(({ answered }) => answered)])
  }

  close(error?: RystraError): void {
    this.remove(error)
    this.#forget()
  }

  // What happens

  ask(session: RegistrySession): void {
    const registration = this.#on.get(session) ?? new SessionRegistration(this, session, this.#state)
    this.#on.set(session, registration)
    registration.ask()
  }

  sent(): ProxySpec {
    return sentSpec(this.#spec, this.#expiresAt, this.#state)
  }

  onReachable(session: RegistrySession): void {
    this.error = undefined
    this.#health.watch(this.#spec, this.handler, session)
  }

  onRefused(error: RystraError): void {
    // What another session publishes is no failure of the proxy.
    if (this.published.length === 0) this.error = error
    if (error.code === 'proxy.expired') this.#forget()
  }

  onGone(session: RegistrySession): void {
    this.#health.unwatch(session)
  }

  /** The server has published it again under another address, after a reload. */
  moved(session: RegistrySession, address: string): void {
    this.#on.get(session)?.moved(address)
  }

  /** The server took it back. While an answer of it is on its way, this means the registration before. */
  takenBack(session: RegistrySession, error: RystraError | undefined): void {
    const registration = this.#on.get(session)
    const isChanging = this.#change !== undefined && this.#change.cancel === undefined
    if (registration?.published === undefined || isChanging) return
    if (this.published.length === 1) this.#settleChange()
    registration.takenBack(error)
    if (this.pushed || error?.code === 'proxy.expired') this.#forget()
  }

  /** Whether {@link change} can make it this. */
  mayBecome({ kind }: ProxySpec): boolean {
    return this.published.length > 0 && kind === this.#spec.kind
  }

  /**
   * Has each server put another spec in its place, without a gap; what servers do not see is changed at once. When all
   * refuse it, everything stays as it was, and {@link error} says why; when some do, they lose it.
   */
  change(spec: ProxySpec, origin: Origin): void {
    if (this.published.length === 0) return
    this.#change?.cancel?.()
    const change: Change = { spec, origin, cancel: undefined }
    this.#change = change
    this.#changing = this.#replace(change)
  }

  async #replace(change: Change): Promise<void> {
    const { spec, origin } = change
    const expiresAt = expiryOf(spec, origin, this.#state.clock.now())
    const all = [...this.#on.values()]
    const present = all.flatMap((one) => (one.published === undefined ? [] : [{ one, at: one.published.address }]))
    const [first] = present
    const outcomes = await this.#outcomes(present, spec, expiresAt)
    if (this.#change !== change) return
    const refused = (outcome: string | RystraError | undefined): outcome is RystraError =>
      typeof outcome === 'object' && !isUnableToReplace(outcome)
    const failure = outcomes.find(refused)
    if (failure !== undefined && first !== undefined && outcomes.every((one) => one === undefined || refused(one))) {
      this.#unchanged(change, failure, first.one)
      return
    }
    this.#adopt(change, expiresAt)
    for (const [index, outcome] of outcomes.entries()) {
      const { one } = present[index] as { one: SessionRegistration }
      if (typeof outcome === 'string') one.reachable(outcome, true)
      else if (outcome !== undefined) one.restart()
    }
    // Those that were not published before are asked for what is wanted now.
    for (const one of all) if (one.at === 'waiting' || one.at === 'refused') one.ask()
    await Promise.all(present.map(({ one }) => one.answered))
  }

  async #outcomes(
    present: readonly { readonly one: SessionRegistration; readonly at: string }[],
    spec: ProxySpec,
    expiresAt: number | undefined
  ): Promise<readonly (string | RystraError | undefined)[]> {
    try {
      const sent = sentSpec(spec, expiresAt, this.#state)
      if (isDeepStrictEqual(sent, this.sent())) return present.map(({ at }) => at)
      return await Promise.all(present.map(({ one }) => one.replace(sent)))
    } catch (cause) {
      return present.map(() => toRystraError(cause))
    }
  }

  #adopt({ spec, origin }: Change, expiresAt: number | undefined): void {
    this.#change = undefined
    this.#spec = spec
    this.#origin = origin
    this.#expiresAt = expiresAt
  }

  /** Tells of a change that was refused, and asks again later when that may help. */
  #unchanged(change: Change, error: RystraError, on: SessionRegistration): void {
    this.error = error
    const retryIn = on.tell(error, 'a change of a proxy was refused')
    if (retryIn === undefined) this.#change = undefined
    else change.cancel = this.#state.clock.after(retryIn, () => this.change(change.spec, change.origin))
  }

  /** A session is gone: the next is asked for what is wanted, also where this one had not answered. */
  suspend(session: RegistrySession): void {
    const registration = this.#on.get(session)
    if (registration === undefined) return
    this.#on.delete(session)
    if (this.#on.size === 0) this.#settleChange()
    this.#health.unwatch(session)
    registration.over()
  }

  #settleChange(): void {
    const change = this.#change
    change?.cancel?.()
    if (change !== undefined) this.#adopt(change, expiryOf(change.spec, change.origin, this.#state.clock.now()))
  }

  /** It is not wanted any more. */
  remove(error?: RystraError): void {
    this.#change?.cancel?.()
    this.#change = undefined
    for (const registration of this.#on.values()) registration.remove(error)
    this.#on.clear()
  }
}

/** A server that does not know how to replace takes it for a second proxy of the name. */
const isUnableToReplace = ({ code, side }: RystraError): boolean => code === 'proxy.name-taken' && side === 'server'
