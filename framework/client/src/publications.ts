import { background, type ProxySpec, RystraError } from '@rystra/model'
import type { PublishedHere } from './events.js'
import { type Expanded, expand } from './expand.js'
import { HANDLER } from './handlers.js'
import type { StreamHandler } from './stream-handler.js'
import { ProxyRegistration } from './proxy-registration.js'
import type { Origin, Pushed } from './registration-standing.js'
import type { RegistrySession } from './registry-session.js'
import type { ClientState } from './state.js'

const isRefused = ({ error }: ProxyRegistration): boolean => error !== undefined && !error.retryable

/** What this client wants published. Survives sessions: each one is asked for all of it. */
export class Publications {
  readonly #state: ClientState
  readonly #all = new Map<string, ProxyRegistration>()
  readonly #sessions = new Set<RegistrySession>()
  #stopped = false

  constructor(state: ClientState) {
    this.#state = state
  }

  find(name: string): ProxyRegistration | undefined {
    return this.#all.get(name)
  }

  /** Also those that are refused, or have no session. */
  all(): ProxyRegistration[] {
    return [...this.#all.values()]
  }

  /** Those that visitors can reach now. */
  published(): ProxyRegistration[] {
    return [...this.#all.values()].filter(({ published }) => published.length > 0)
  }

  /** Wants what the configuration has, or the several that a kind makes of an entry. Throws `proxy.*`. */
  want(entry: ProxySpec): void {
    this.#wantAll(this.#expand(entry), { entry: entry.name, configured: true, handler: undefined })
  }

  #expand(entry: ProxySpec): ProxySpec[] {
    return expand([entry], this.#state.kernel.current.registries).map(({ spec }) => spec)
  }

  #throwIfStopped(): void {
    if (this.#stopped) throw new RystraError('session.closing', { side: 'client', detail: 'the client was stopped' })
  }

  #wantAll(specs: readonly ProxySpec[], origin: Origin): ProxyRegistration[] {
    for (const { name, local } of specs) {
      const present = this.#all.get(name)
      // What this client wants by itself goes before what its server has added.
      if (present?.pushed === true && origin.pushed === undefined) this.#drop(name)
      else if (present !== undefined) throw new RystraError('proxy.name-taken', { side: 'client', detail: name })
      if (origin.handler === undefined && String(local).startsWith(HANDLER)) {
        throw new RystraError('proxy.invalid', { side: 'client', detail: `${name}: nothing is exposed as ${local}` })
      }
    }
    return specs.map((spec) => this.#want(spec, origin))
  }

  #want(spec: ProxySpec, origin: Origin): ProxyRegistration {
    const registration: ProxyRegistration = new ProxyRegistration(spec, origin, this.#state, () => {
      if (this.#all.get(spec.name) === registration) this.#all.delete(spec.name)
    })
    this.#all.set(spec.name, registration)
    return registration
  }

  /** How many the servers have added. */
  get pushed(): number {
    return this.#pushed().length
  }

  #pushed(): ProxyRegistration[] {
    return this.all().filter(({ pushed }) => pushed)
  }

  /**
   * Wants what a server has added, at that server alone. Rejects unless all of it is published; none of it is wanted then.
   */
  async push(specs: readonly ProxySpec[], entry: string, pushed: Pushed): Promise<void> {
    this.#throwIfStopped()
    const added = this.#wantAll(specs, { entry, configured: false, handler: undefined, pushed })
    await this.#ask(added)
    const failed = added.find(({ published }) => published.length === 0)
    if (failed === undefined) return
    for (const { spec, pushed: same } of added) if (same) this.#drop(spec.name)
    throw failed.error ?? new RystraError('session.lost')
  }

  /** Takes back those that the server has added and of which `problemOf` says something. */
  reviewPushed(problemOf: (one: ProxyRegistration) => RystraError | undefined): void {
    for (const one of this.#pushed()) {
      const error = problemOf(one)
      if (error !== undefined) one.close(error)
    }
  }

  /** Wants it, asks for it where a session is up, and resolves to what came of it. */
  async add(entry: ProxySpec, handler?: StreamHandler): Promise<PublishedHere[]> {
    this.#throwIfStopped()
    return this.#settle(this.#wantAll(this.#expand(entry), { entry: entry.name, configured: false, handler }), () => {})
  }

  /**
   * Puts it in place of the entry of the same name; what is the same stays as it is. When it is refused for good, what
   * was there before is wanted again.
   */
  async update(entry: ProxySpec, handler?: StreamHandler): Promise<PublishedHere[]> {
    this.#throwIfStopped()
    const next = this.#expand(entry)
    const before = this.of(entry.name)
    const origin: Origin = { entry: entry.name, configured: before[0]?.origin.configured ?? false, handler }
    const isKept = (one: ProxyRegistration): boolean =>
      one.handler === handler && next.some((spec) => one.spec.name === spec.name && one.wants(spec))
    const present = before.filter((one) => !isKept(one))
    const changes = present.flatMap((one) => {
      const spec = next.find(({ name }) => name === one.spec.name)
      return spec !== undefined && one.mayBecome(spec)
        ? [{ one, spec, was: { spec: one.spec, origin: one.again } }]
        : []
    })
    const gone = present.filter((one) => !changes.some((change) => change.one === one))
    const fresh = next.filter(({ name }) => before.every((one) => gone.includes(one) || one.spec.name !== name))
    const taken = fresh.find(({ name }) => !before.some(({ spec }) => spec.name === name) && this.#all.has(name))
    if (taken !== undefined) throw new RystraError('proxy.name-taken', { side: 'client', detail: taken.name })
    for (const { spec } of gone) this.#drop(spec.name)
    const restore = async (): Promise<void> => {
      for (const { one, was } of changes) if (this.#all.get(was.spec.name) === one) one.change(was.spec, was.origin)
      const missing = gone.filter(({ spec }) => !this.#all.has(spec.name))
      await this.#ask(missing.map(({ spec, again }) => this.#want(spec, again)))
      await Promise.all(changes.map(({ one }) => one.answered()))
    }
    let added: ProxyRegistration[]
    try {
      added = this.#wantAll(fresh, origin)
    } catch (error) {
      await restore()
      throw error
    }
    for (const { one, spec } of changes) one.change(spec, origin)
    await this.#settle(
      added,
      restore,
      changes.map(({ one }) => one)
    )
    return this.of(entry.name).flatMap(({ published }) => published)
  }

  async #ask(registrations: readonly ProxyRegistration[]): Promise<void> {
    for (const session of this.#sessions) for (const one of registrations) if (one.isFor(session)) one.ask(session)
    await Promise.all(registrations.map((one) => one.answered()))
  }

  async #settle(
    added: readonly ProxyRegistration[],
    restore: () => unknown,
    changed: readonly ProxyRegistration[] = []
  ): Promise<PublishedHere[]> {
    await Promise.all([this.#ask(added), ...changed.map((one) => one.answered())])
    const failed = [...added, ...changed].find(isRefused)
    if (failed === undefined) return added.flatMap(({ published }) => published)
    for (const one of added) if (this.#all.get(one.spec.name) === one) this.#drop(one.spec.name)
    const { error } = failed
    await restore()
    throw error
  }

  /** Those of an entry, by its name, or the one of that name. */
  of(name: string): ProxyRegistration[] {
    return [...this.#all.values()].filter(({ origin, spec }) => origin.entry === name || spec.name === name)
  }

  /** By the name of the entry, or of one of the several that were made of it. */
  remove(name: string): void {
    for (const { spec } of this.of(name)) this.#drop(spec.name)
  }

  #drop(name: string): void {
    const registration = this.#all.get(name)
    this.#all.delete(name)
    registration?.remove()
  }

  /**
   * Wants these of the configuration and no others, see {@link expand}. What is the same stays as it is; so does what
   * code has added.
   */
  replace(expanded: readonly Expanded[]): void {
    const next = new Map(expanded.map((one) => [one.spec.name, one]))
    for (const [name, one] of [...this.#all]) {
      const wanted = next.get(name)
      if (one.pushed && wanted !== undefined) this.#drop(name)
      if (!one.origin.configured || (wanted !== undefined && one.wants(wanted.spec))) continue
      if (wanted === undefined || !one.mayBecome(wanted.spec)) this.#drop(name)
      else one.change(wanted.spec, { entry: wanted.entry, configured: true, handler: undefined })
    }
    const fresh = expanded.filter(({ spec }) => !this.#all.has(spec.name))
    const added = fresh.map(({ spec, entry }) => this.#want(spec, { entry, configured: true, handler: undefined }))
    background(this.#ask(added), this.#state.log, 'proxies of the configuration were not asked for')
  }

  /** Throws `proxy.name-taken` when the configuration may not have these, because code has. */
  check(expanded: readonly Expanded[]): void {
    const taken = expanded.find(({ spec }) => {
      const present = this.#all.get(spec.name)
      return present !== undefined && !present.origin.configured && !present.pushed
    })
    if (taken !== undefined) throw new RystraError('proxy.name-taken', { side: 'client', detail: taken.spec.name })
  }

  /** A session is up: asks it for all. */
  offer(session: RegistrySession): void {
    this.#sessions.add(session)
    const all = this.all().filter((one) => one.isFor(session))
    for (const fixed of [true, false])
      for (const one of all.filter(({ hasFixedPort }) => hasFixedPort === fixed)) one.ask(session)
  }

  /** Resolves when everything that was asked for is answered. */
  async answered(): Promise<void> {
    await Promise.all([...this.#all.values()].map((one) => one.answered()))
  }

  /** The session is gone, and what is published on it with it. */
  suspend(session: RegistrySession): void {
    this.#sessions.delete(session)
    const all = this.all()
    // The server adds them to the next session, if it still wants them.
    for (const one of this.#pushed()) if (one.isFor(session)) this.#all.delete(one.spec.name)
    for (const registration of all) registration.suspend(session)
  }

  /** Asks for nothing any more. */
  stop(): void {
    this.#stopped = true
    for (const session of this.#sessions) this.suspend(session)
  }
}
