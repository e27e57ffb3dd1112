import { type ProxySpec, RystraError, toRystraError } from '@rystra/model'
import type { ClientSession } from './client-session.js'
import type { PublishedHere } from './events.js'
import { HANDLER, type StreamHandler } from './handlers.js'
import { publicAddress } from './public-address.js'
import type { ClientState } from './state.js'
import {
  expand,
  type Expanded,
  sentOf,
  stopHealth,
  type Wanted,
  type WantedOf,
  wantedOf,
  watchHealth
} from './wanted.js'

/** What this client wants published, and what of it is. Survives sessions: each new one is asked for all of it. */
export class Publications {
  readonly #state: ClientState
  readonly #wanted = new Map<string, Wanted>()
  #session: ClientSession | undefined
  #stopped = false

  constructor(state: ClientState) {
    this.#state = state
  }

  list(): PublishedHere[] {
    return [...this.#wanted.values()].flatMap(({ published }) => published ?? [])
  }

  /** Wants what the configuration has, or the several that a kind makes of an entry. Throws `proxy.*`. */
  want(entry: ProxySpec): void {
    this.#wantAll(this.#expand(entry), { entry: entry.name, configured: true, handler: undefined })
  }

  #expand(entry: ProxySpec): ProxySpec[] {
    return expand([entry], this.#state.kernel.current.registries).map(({ spec }) => spec)
  }

  #mustRun(): void {
    if (this.#stopped) throw new RystraError('session.closing', { side: 'client', detail: 'the client was stopped' })
  }

  #wantAll(specs: readonly ProxySpec[], of: WantedOf): Wanted[] {
    for (const { name, local } of specs) {
      if (this.#wanted.has(name)) throw new RystraError('proxy.name-taken', { side: 'client', detail: name })
      if (of.handler === undefined && String(local).startsWith(HANDLER)) {
        throw new RystraError('proxy.invalid', { side: 'client', detail: `${name}: nothing is exposed as ${local}` })
      }
    }
    return specs.map((spec) => this.#want(spec, of))
  }

  #want(spec: ProxySpec, of: WantedOf): Wanted {
    const wanted = wantedOf(spec, of, this.#state)
    this.#wanted.set(spec.name, wanted)
    if (of.handler !== undefined) this.#state.handlers.set(String(spec.local), of.handler)
    return wanted
  }

  /** Wants it, asks for it if a session is up, and resolves to what came of it. */
  async add(entry: ProxySpec, handler?: StreamHandler): Promise<PublishedHere[]> {
    this.#mustRun()
    return this.#settle(this.#wantAll(this.#expand(entry), { entry: entry.name, configured: false, handler }), () => {})
  }

  /**
   * Puts it in place of the entry of the same name; what is the same stays as it is. When it is refused for good, what
   * was there before is wanted again.
   */
  async update(entry: ProxySpec, handler?: StreamHandler): Promise<PublishedHere[]> {
    this.#mustRun()
    const next = this.#expand(entry)
    const before = this.#of(entry.name)
    const isSame = (spec: ProxySpec, other: ProxySpec): boolean => JSON.stringify(spec) === JSON.stringify(other)
    const gone = before.filter(
      (wanted) => wanted.handler !== handler || !next.some((spec) => isSame(spec, wanted.spec))
    )
    const fresh = next.filter((spec) => before.every((wanted) => gone.includes(wanted) || !isSame(spec, wanted.spec)))
    const taken = fresh.find(({ name }) => !before.some(({ spec }) => spec.name === name) && this.#wanted.has(name))
    if (taken !== undefined) throw new RystraError('proxy.name-taken', { side: 'client', detail: taken.name })
    for (const { spec } of gone) this.#drop(spec.name)
    const restore = async (): Promise<void> => {
      const again = gone
        .filter(({ spec }) => !this.#wanted.has(spec.name))
        .map(({ spec, ...of }) => this.#want(spec, of))
      for (const wanted of again) this.#ask(wanted)
      await Promise.all(again.map(({ asking }) => asking))
    }
    const { configured = false } = before[0] ?? {}
    let added: Wanted[]
    try {
      added = this.#wantAll(fresh, { entry: entry.name, configured, handler })
    } catch (error) {
      await restore()
      throw error
    }
    await this.#settle(added, restore)
    return this.#of(entry.name).flatMap(({ published }) => published ?? [])
  }

  async #settle(added: readonly Wanted[], restore: () => unknown): Promise<PublishedHere[]> {
    for (const wanted of added) this.#ask(wanted)
    await Promise.all(added.map(({ asking }) => asking))
    const failed = added.find(({ error }) => error !== undefined && !error.retryable)
    if (failed?.error !== undefined) {
      for (const wanted of added) if (this.#wanted.get(wanted.spec.name) === wanted) this.#drop(wanted.spec.name)
      await restore()
      throw failed.error
    }
    return added.flatMap(({ published }) => published ?? [])
  }

  #of(name: string): Wanted[] {
    return [...this.#wanted.values()].filter(({ entry, spec }) => entry === name || spec.name === name)
  }

  /** By the name of the entry, or of one of the several that were made of it. */
  remove(name: string): void {
    for (const { spec } of this.#of(name)) this.#drop(spec.name)
  }

  #drop(name: string): void {
    const wanted = this.#wanted.get(name)
    if (wanted === undefined) return
    this.#forget(wanted)
    wanted.cancelRetry?.()
    this.#session?.unregister(name)
    this.#gone(wanted, undefined)
  }

  #forget({ spec, handler }: Wanted): void {
    this.#wanted.delete(spec.name)
    if (handler !== undefined) this.#state.handlers.delete(String(spec.local))
  }

  /**
   * Wants these of the configuration and no others, see {@link expand}. What is the same stays as it is; so does what
   * code has added.
   */
  replace(expanded: readonly Expanded[]): void {
    const next = new Map(expanded.map(({ spec }) => [spec.name, JSON.stringify(spec)]))
    for (const [name, { spec, configured }] of this.#wanted) {
      if (configured && next.get(name) !== JSON.stringify(spec)) this.#drop(name)
    }
    for (const { spec, entry } of expanded) {
      if (this.#wanted.has(spec.name)) continue
      this.#ask(this.#want(spec, { entry, configured: true, handler: undefined }))
    }
  }

  /** Throws `proxy.name-taken` when the configuration may not have these, because code has. */
  check(expanded: readonly Expanded[]): void {
    const taken = expanded.find(({ spec }) => this.#wanted.get(spec.name)?.configured === false)
    if (taken !== undefined) throw new RystraError('proxy.name-taken', { side: 'client', detail: taken.spec.name })
  }

  /** A session is up: asks for all. */
  offer(session: ClientSession): void {
    this.#session = session
    // Ports that are named come first: a free one must not be one of them.
    const all = [...this.#wanted.values()]
    for (const fixed of [true, false])
      for (const wanted of all) if (hasFixedPort(wanted.spec) === fixed) this.#ask(wanted)
  }

  /** Resolves when everything that was asked for is answered. */
  async answered(): Promise<void> {
    await Promise.all([...this.#wanted.values()].map(({ asking }) => asking))
  }

  /** The session is gone: nothing is published until there is another. */
  suspend(): void {
    this.#session = undefined
    for (const wanted of this.#wanted.values()) {
      wanted.cancelRetry?.()
      wanted.cancelRetry = undefined
      wanted.published = undefined
      stopHealth(wanted)
    }
  }

  /** Asks for nothing any more. */
  stop(): void {
    this.#stopped = true
    this.#session = undefined
    for (const wanted of this.#wanted.values()) {
      wanted.cancelRetry?.()
      stopHealth(wanted)
    }
  }

  /** The server took one back. */
  takenBack(name: string, error: RystraError | undefined): void {
    const wanted = this.#wanted.get(name)
    // While it waits to be asked for again there is nothing to take back: a server that repeats itself changes nothing.
    if (wanted === undefined || wanted.cancelRetry !== undefined) return
    this.#gone(wanted, error)
    if (error?.retryable === true) this.#retry(wanted, error)
    else if (error?.code === 'proxy.expired') this.#forget(wanted)
  }

  #gone(wanted: Wanted, error: RystraError | undefined): void {
    const { published } = wanted
    wanted.published = undefined
    stopHealth(wanted)
    if (published === undefined) return
    this.#state.log.info(
      { proxy: published.name, ...(error === undefined ? {} : { err: error }) },
      'no longer published'
    )
    this.#state.events.emit('unpublished', published, error)
  }

  #ask(wanted: Wanted): void {
    const session = this.#session
    if (session === undefined) return
    wanted.asking = this.#register(wanted, session)
  }

  async #register(wanted: Wanted, session: ClientSession): Promise<void> {
    const { spec } = wanted
    const { log, events, config } = this.#state
    try {
      const address = await session.register(spec, sentOf(wanted, this.#state), wanted.lastPort)
      if (this.#session !== session || this.#wanted.get(spec.name) !== wanted) return
      wanted.error = undefined
      wanted.backoff.reset()
      if (!hasFixedPort(spec)) wanted.lastPort = portOf(address)
      wanted.published = {
        name: spec.name,
        kind: spec.kind,
        address: publicAddress(address, config.connect.host),
        spec
      }
      log.info({ proxy: spec.name, kind: spec.kind, address: wanted.published.address }, 'published')
      events.emit('published', wanted.published)
      watchHealth(wanted, session, this.#state)
    } catch (cause) {
      if (this.#session !== session || this.#wanted.get(spec.name) !== wanted) return
      const error = toRystraError(cause)
      session.specs.delete(spec.name)
      wanted.error = error
      if (error.code === 'proxy.expired') this.#forget(wanted)
      this.#retry(wanted, error)
    }
  }

  /** Tells of a refusal, and asks again later when that may help. */
  #retry(wanted: Wanted, error: RystraError): void {
    const { log, clock, refused } = this.#state
    const { name } = wanted.spec
    const session = this.#session
    const retryIn = error.retryable ? wanted.backoff.next() : undefined
    log.warn({ err: error, proxy: name, ...(retryIn === undefined ? {} : { retryIn }) }, 'a proxy was refused')
    refused(
      { what: 'proxy', name, error, ...(retryIn === undefined ? {} : { retryIn }) },
      { who: name, proxy: wanted.spec, ...(session === undefined ? {} : { session: session.info }) }
    )
    if (retryIn === undefined) return
    wanted.cancelRetry = clock.after(retryIn, () => {
      wanted.cancelRetry = undefined
      this.#ask(wanted)
    })
  }
}

const hasFixedPort = ({ port }: ProxySpec): boolean => typeof port === 'number' && port !== 0

/** The port of an address such as `203.0.113.7:20000`, if it ends with one. */
const portOf = (address: string): number | undefined => {
  const port = Number(/:(\d{1,5})$/.exec(address)?.[1] ?? 0)
  return port >= 1 && port <= 65_535 ? port : undefined
}
